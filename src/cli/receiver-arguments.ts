import { exitCode } from './exit-code.ts';
import { parseProcessArguments, type ProcessArguments } from './process-arguments.ts';

/** Reads the arguments of the receiver (without node and script). */
export function parseReceiverArguments(args: readonly string[]): ProcessArguments {
  return parseProcessArguments(args, {
    name: 'oplogue-receiver',
    description:
      'Takes what collectors send (tcp, rpc), or what they have written (kafka, file), and gives it to a replayer.',
    conf: 'the configuration, a receiver.conf as MongoShake has it',
    after,
  });
}

const after = `
Each option may have one dash, as in MongoShake: -conf=receiver.conf -verbose=2

Examples:
  oplogue-receiver --conf receiver.conf --verbose 2
  oplogue-receiver --conf receiver.conf --set replayer.module=./my-replayer.js
  OPLOGUE_TUNNEL=rpc OPLOGUE_TUNNEL_ADDRESS=127.0.0.1:3999 oplogue-receiver --verbose 2

Every key of the configuration can also come from the environment (OPLOGUE_ and the key in capitals, dots as
underscores) or from --set; docs/receiver-configuration.md lists them, docs/receiver.md shows how to write a replayer.
With replayer.module = print the entries go to standard output, and log lines of --verbose 1 and 2 to standard error.

Exit codes:
  ${exitCode.ok}    stopped as asked: what the replayer had in its hands is done
  ${exitCode.usage}    wrong arguments, or a crash
  ${exitCode.interrupted}  a second signal cut the stopping short
  ${exitCode.replication}  the replayer failed, or nothing can come in
  ${exitCode.configCheck}  the configuration has values that are not allowed together
  ${exitCode.configParse}  the configuration cannot be understood, or the log cannot be written
  ${exitCode.configOpen}  the configuration cannot be read
`;
