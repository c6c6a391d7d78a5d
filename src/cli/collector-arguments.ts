import { exitCode } from './exit-code.ts';
import { parseProcessArguments, type ProcessArguments } from './process-arguments.ts';

/** Reads the arguments of the collector (without node and script). */
export function parseCollectorArguments(args: readonly string[]): ProcessArguments {
  return parseProcessArguments(args, {
    name: 'oplogue-collector',
    description: "Carries MongoDB's oplog to Kafka, as its configuration says.",
    conf: 'the configuration, a collector.conf as MongoShake has it',
    after,
  });
}

const after = `
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
