import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fetchKafka } from '../../testbed/fetch-kafka.ts';

/** Runs one of Kafka's own Java tools, and returns what it prints. */
export async function runKafkaTool(
  mainClass: string,
  args: readonly string[],
  input: string | Buffer = '',
): Promise<string> {
  const jars = await fetchKafka('3.9');
  const quiet = '-Dlog4j.configuration=file:/dev/null';
  const child = spawn('java', [
    '-Xmx256m',
    '-XX:TieredStopAtLevel=1',
    quiet,
    '-cp',
    join(jars, '*'),
    mainClass,
    ...args,
  ]);
  child.stdin.end(input);
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error(`${mainClass} ended with ${child.exitCode}:\n${errors}\n${out}`);
  return out;
}
