import { loadReceiverConfig } from '../config/load-receiver-config.ts';
import { describeReceiver } from '../receiver/describe-receiver.ts';
import { Receiver } from '../receiver/receiver.ts';
import { parseReceiverArguments } from './receiver-arguments.ts';
import { runProcess } from './run-process.ts';

/** The receiver's command line: reads the arguments, runs one receiver, and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  await runProcess({
    wanted: parseReceiverArguments(args),
    load: loadReceiverConfig,
    describe: describeReceiver,
    // Standard output belongs to the entries that are printed.
    console: process.stderr,
    run: (config, { signal, ...rest }) => new Receiver({ config, ...rest }).run(signal),
  });
}
