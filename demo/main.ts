import { MongoClient } from 'mongodb';
import { describeError } from '../src/shared/errors.ts';
import { keepTempFolders } from '../testbed/process-guard.ts';
import { demoUsage, readDemoOptions, type DemoOptions } from './demo-options.ts';
import { startDemoServers, type DemoServers } from './demo-servers.ts';
import { runDemo, type DemoOutcome } from './run-demo.ts';

const say = (text: string): void => console.log(text);

/** The command of `npm run demo`; returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const options = readDemoOptions(args);
  if (options === undefined) {
    say(demoUsage);
    return 0;
  }
  const interrupted = new AbortController();
  let running = false;
  const interrupt = (): void => {
    // While servers start there is nothing to save, and a second Ctrl-C is meant: the watchdog ends what runs.
    if (!running || interrupted.signal.aborted) process.exit(0);
    say('\nstopping ...');
    interrupted.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  if (options.keep) say(`everything is kept in ${keepTempFolders()}`);
  const servers = await startDemoServers(options, say);
  try {
    running = true;
    const outcome = await runDemo({ options, servers, interrupted: interrupted.signal, say });
    return sum(outcome, options);
  } finally {
    await cleanUp(servers);
  }
}

function sum({ check, elapsedSeconds, collectorExitCode }: DemoOutcome, options: DemoOptions): number {
  const perSecond = Math.round(check.delivered / elapsedSeconds);
  say(
    `\nwritten ${check.written}, delivered ${check.delivered} (${perSecond}/s), missing ${check.missing}, repeated ${check.repeated}`,
  );
  if (check.missing > 0) say(`missing, among others: ${check.examples().join('; ')}`);
  if (collectorExitCode !== 0) say(`the collector ended with ${collectorExitCode}`);
  const allWell = check.missing === 0 && collectorExitCode === 0;
  // Ended by hand is ended as wished; a run of given length is a test.
  return allWell || options.seconds === undefined ? 0 : 1;
}

async function cleanUp({ mongo, kafka, database, checkpointDatabase, topic }: DemoServers): Promise<void> {
  if (mongo.members.length === 0) {
    await using client = await new MongoClient(mongo.url).connect();
    await client.db(database).dropDatabase();
    await client.db(checkpointDatabase).dropDatabase();
  }
  if (kafka !== undefined && !kafka.owned) await kafka.deleteTopic(topic);
  await Promise.all([mongo.stop(), kafka?.[Symbol.asyncDispose]()]);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`demo: ${describeError(error)}`);
  process.exitCode = 1;
}
