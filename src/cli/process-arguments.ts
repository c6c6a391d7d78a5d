import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { maskSecrets } from '../shared/mask-url.ts';

/** Where log lines go: the file, the file and standard output, or standard output only. */
export type Verbosity = 0 | 1 | 2;

/** What the command line asks for. */
export type ProcessArguments =
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

/** What the help of a process says. */
export interface ProcessHelp {
  readonly name: string;
  readonly description: string;
  /** What the configuration is. */
  readonly conf: string;
  /** Examples and exit codes. */
  readonly after: string;
}

/**
 * Reads the arguments of the collector or the receiver (without node and script): `-conf=FILE`, `-conf FILE` and the like as Go
 * takes them, with one dash or two, and options of ours.
 */
export function parseProcessArguments(args: readonly string[], help: ProcessHelp): ProcessArguments {
  const output: string[] = [];
  const command = processCommand(help, (text) => output.push(text));
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
  if (args.length === 0) return { kind: 'help', text: command.helpInformation() + help.after };
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

function processCommand(help: ProcessHelp, write: (text: string) => void): Command {
  return new Command(help.name)
    .description(help.description)
    .option('--conf <file>', help.conf)
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
    .addHelpText('after', help.after)
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
