import { parseArgs } from 'node:util';
import { TestbedError } from '../testbed/testbed-error.ts';

export type TunnelKind = 'kafka' | 'file';

export interface DemoOptions {
  /** Operations per second that the writer aims at. */
  readonly rate: number;
  /** Ends by itself after so long; undefined: runs until Ctrl-C. */
  readonly seconds: number | undefined;
  /** Undefined: Kafka if it can be had, else a file. */
  readonly tunnel: TunnelKind | undefined;
  readonly message: 'raw' | 'bson' | 'json';
  /** `tunnel.json.format`; empty is MongoShake's own text. */
  readonly format: string;
  readonly workers: number;
  readonly kafka: '3.9' | '4';
  readonly mongoPort: number | undefined;
  readonly kafkaPort: number | undefined;
  /** Leave the folders of the servers and the collector behind. */
  readonly keep: boolean;
}

export const demoUsage = `npm run demo -- [options]

Starts a MongoDB replica set, a Kafka, a writer and the collector, and shows what happens.

  --rate N          operations per second of the writer (default 2000)
  --seconds N       stop after N seconds, check that everything has arrived, and end with 0
  --tunnel T        kafka or file (default kafka; file when there is no Java)
  --message M       raw, bson or json (default json)
  --format F        tunnel.json.format: relaxed_extended_json (default), canonical_extended_json, plain,
                    or "" for MongoShake's own text
  --workers N       incr_sync.worker (default 4)
  --kafka V         3.9 (default) or 4
  --mongo-port P    port of the replica set (default: a free one)
  --kafka-port P    port of Kafka (default: a free one)
  --keep            leave data and logs behind
  --help            this text

MONGO_URL and KAFKA_BROKERS name servers of your own; MONGOD_BIN names the mongod to start.
`;

/** The options of a command line, or undefined when help is asked for. @throws TestbedError */
export function readDemoOptions(args: readonly string[]): DemoOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const tunnel = values.tunnel === undefined ? undefined : oneOf('tunnel', values.tunnel, ['kafka', 'file']);
  const message = oneOf('message', values.message, ['raw', 'bson', 'json']);
  if (tunnel === 'file' && message !== 'json') {
    throw new TestbedError(
      'The demo reads only JSON back from a file',
      'leave --message out, or take --tunnel kafka',
    );
  }
  return {
    rate: whole('rate', values.rate),
    seconds: values.seconds === undefined ? undefined : whole('seconds', values.seconds),
    tunnel,
    message,
    format: values.format,
    workers: whole('workers', values.workers),
    kafka: oneOf('kafka', values.kafka, ['3.9', '4']),
    mongoPort: values['mongo-port'] === undefined ? undefined : whole('mongo-port', values['mongo-port']),
    kafkaPort: values['kafka-port'] === undefined ? undefined : whole('kafka-port', values['kafka-port']),
    keep: values.keep,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        rate: { type: 'string', default: '2000' },
        seconds: { type: 'string' },
        tunnel: { type: 'string' },
        message: { type: 'string', default: 'json' },
        format: { type: 'string', default: 'relaxed_extended_json' },
        workers: { type: 'string', default: '4' },
        kafka: { type: 'string', default: '3.9' },
        'mongo-port': { type: 'string' },
        'kafka-port': { type: 'string' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new TestbedError(message, 'npm run demo -- --help lists the options');
  }
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new TestbedError(`--${name} ${text} is not a whole number above 0`);
}

function oneOf<const T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((it) => it === text);
  if (found !== undefined) return found;
  throw new TestbedError(`--${name} ${text} is not one of ${allowed.join(', ')}`);
}
