import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { maskSecrets } from '../shared/mask-url.ts';
import { exitCode } from './exit-code.ts';

/** Where log lines go: the file, the file and standard output, or standard output only. */
export type Verbosity = 0 | 1 | 2;

/** What the command line asks for. */
export type CollectorArguments =
  | {
      readonly kind: 'run';
      readonly conf: string | undefined;
      readonly verbose: Verbosity;
      /** `key=value` */
      readonly set: readonly string[];
      /** Only check the configuration. */
      readonly check: boolean;
    }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'wrong'; readonly message: string };

const goFlags: ReadonlySet<string> = new Set(['conf', 'verbose', 'version', 'help', 'set', 'check']);

/**
 * Reads the arguments of the collector (without node and script): `-conf=FILE`, `-conf FILE` and the like as Go
 * takes them, with one dash or two, and options of ours.
 */
export function parseCollectorArguments(args: readonly string[]): CollectorArguments {
  const output: string[] = [];
  const command = collectorCommand((text) => output.push(text));
  try {
    command.parse(args.map(normalized), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const text = maskSecrets(output.join('').trimEnd());
    return error.exitCode === 0 ? { kind: 'help', text } : { kind: 'wrong', message: text };
  }
  const options = command.opts<ParsedOptions>();
  if (options.version === true) return { kind: 'version' };
  // As the Go binary, which prints who it is when it is given nothing to do.
  if (args.length === 0) return { kind: 'help', text: command.helpInformation() + helpAfter };
  return {
    kind: 'run',
    conf: options.conf,
    verbose: options.verbose === true ? 1 : options.verbose,
    set: options.set ?? [],
    check: options.check === true,
  };
}

interface ParsedOptions {
  readonly conf?: string;
  readonly verbose: Verbosity | true;
  readonly version?: true;
  readonly set?: string[];
  readonly check?: true;
}

// Go's flags take one dash as well as two.
function normalized(argument: string): string {
  const match = /^-([a-z]+)(=.*)?$/s.exec(argument);
  if (match?.[1] === undefined || !goFlags.has(match[1])) return argument;
  return match[2] === '=true' ? `--${match[1]}` : `-${argument}`;
}

function collectorCommand(write: (text: string) => void): Command {
  return new Command('oplogue-collector')
    .description("Carries MongoDB's oplog to Kafka, as its configuration says.")
    .option('--conf <file>', 'the configuration, a collector.conf as MongoShake has it')
    .option(
      '--verbose [level]',
      '0: log to the file; 1: to the file and standard output; 2: to standard output',
      verbosity,
      0,
    )
    .option('--set <key=value>', 'set a key of the configuration; may be repeated', collected)
    .option('--check', 'check the configuration and exit')
    .option('--version', 'print the version and exit')
    .helpOption('-h, --help', 'print this help and exit')
    .addHelpText('after', helpAfter)
    .configureOutput({ writeOut: write, writeErr: write })
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride();
}

function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function verbosity(text: string): Verbosity {
  if (text === '0') return 0;
  if (text === '1') return 1;
  if (text === '2') return 2;
  throw new InvalidArgumentError('It takes 0, 1 or 2.');
}

const helpAfter = `
Each option may have one dash, as in MongoShake: -conf=collector.conf -verbose=2

Examples:
  oplogue-collector --conf collector.conf --verbose 2
  oplogue-collector --conf collector.conf --check
  oplogue-collector --conf collector.conf --set tunnel.address=orders@localhost:9092
  OPLOGUE_MONGO_URLS=mongodb://localhost:27017 oplogue-collector --conf collector.conf

Every key of the configuration can also come from the environment (OPLOGUE_ and the key in capitals, dots as
underscores) or from --set; docs/configuration.md lists them.

Exit codes:
  ${exitCode.ok}    stopped as asked: all that was read is durable, the checkpoint is written
  ${exitCode.usage}    wrong arguments, or a crash
  ${exitCode.interrupted}  a second signal cut the stopping short
  ${exitCode.replication}  the replication failed or could not begin
  ${exitCode.configVersion}  the configuration is of an older version
  ${exitCode.configCheck}  the configuration has values that are not allowed together, or not built yet
  ${exitCode.pidFileHeld}  another collector with the same id runs
  ${exitCode.configParse}  the configuration cannot be understood, or the log cannot be written
  ${exitCode.configOpen}  the configuration cannot be read
`;
