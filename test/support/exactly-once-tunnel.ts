import type { Position } from '../../src/oplog/position.ts';
import type { KafkaTunnel } from '../../src/tunnel/kafka/kafka-tunnel.ts';
import type { LaneWriter } from '../../src/tunnel/tunnel.ts';
import { newKafkaTunnel, type TunnelSettings } from './kafka-tunnel-under-test.ts';

let jobs = 0;

/** An exactly-once tunnel of a job of its own, unless `job` names one. Not opened yet. */
export function newExactlyOnceTunnel(
  brokers: string,
  settings: TunnelSettings & {
    readonly job?: string;
    readonly checkpointTopic?: string;
    readonly intervalMs?: number;
    readonly transactionTimeoutMs?: number;
  },
): KafkaTunnel {
  jobs++;
  const {
    job = `job-${process.pid}-${jobs}`,
    checkpointTopic,
    intervalMs = 20,
    transactionTimeoutMs,
  } = settings;
  return newKafkaTunnel(brokers, {
    ...settings,
    headers: true,
    exactlyOnce: {
      id: job,
      source: 'rs0',
      checkpointTopic: checkpointTopic ?? 'oplogue-checkpoint',
      transactionIntervalMs: intervalMs,
      ...(transactionTimeoutMs === undefined ? {} : { transactionTimeoutMs }),
    },
  });
}

/** The same tunnel, with a mark after every flush, for callers that know nothing of frontiers. */
export function marking(tunnel: KafkaTunnel): KafkaTunnel {
  let flushes: Position = 0n;
  const lane = tunnel.lane.bind(tunnel);
  const writers = new Map<number, LaneWriter>();
  tunnel.lane = (index) => {
    const known = writers.get(index);
    if (known !== undefined) return known;
    const writer = lane(index);
    const marked: LaneWriter = {
      get pendingBytes() {
        return writer.pendingBytes;
      },
      append: (header) => writer.append(header),
      flush(onDurable) {
        writer.flush(onDurable);
        flushes++;
        tunnel.frontiers?.mark({ resumeAfter: flushes, deliveredThrough: flushes });
      },
    };
    writers.set(index, marked);
    return marked;
  };
  return tunnel;
}
