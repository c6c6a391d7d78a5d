import { Command, InvalidArgumentError } from 'commander';
import { packageVersion } from './package-version.ts';
import { stat } from './stat.ts';

const DEFAULT_ADDRESS = '127.0.0.1:9100';

interface StatFlags {
  readonly interval: number;
  readonly count?: number;
  readonly json?: true;
  readonly workers?: true;
}

/** The command line for everything that is neither a collector nor a receiver. */
export async function main(args: readonly string[]): Promise<void> {
  const program = new Command('oplogue')
    .description('Looks after collectors and receivers.')
    .version(packageVersion(), '--version', 'print the version and exit')
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', '\nCollectors run with oplogue-collector, receivers with oplogue-receiver.\n');
  program
    .command('stat')
    .description('Shows rates, lag, queues and memory of collectors and receivers, again and again.')
    .argument('[address...]', `host:port of the REST pages (default: ${DEFAULT_ADDRESS})`)
    .option('--interval <seconds>', 'time between two looks', positive, 1)
    .option('--count <n>', 'end after so many looks', positive)
    .option('--workers', 'also a line for each worker or replayer')
    .option('--json', 'one JSON object for each process and look, for scripts')
    .addHelpText('after', statHelp)
    .action(async (addresses: string[], flags: StatFlags) => {
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      process.once('SIGTERM', () => stop.abort());
      await stat({
        addresses: addresses.length === 0 ? [DEFAULT_ADDRESS] : addresses,
        intervalMs: flags.interval * 1000,
        count: flags.count ?? Infinity,
        isJson: flags.json === true,
        showsWorkers: flags.workers === true,
        signal: stop.signal,
        out: process.stdout,
      });
    });
  await program.parseAsync(args, { from: 'user' });
}

const statHelp = `
Examples:
  oplogue stat
  oplogue stat db1:9100 db2:9100 --interval 5
  oplogue stat --workers --count 1
  oplogue stat --json | jq 'select(.lagSeconds > 10)'

A process that does not answer is shown as unreachable, with the reason. A receiver needs http.port in its configuration. The pages of MongoShake's
own collector are understood too.
`;

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It takes a number above 0.');
  return value;
}
