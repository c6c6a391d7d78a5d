import { availableParallelism } from 'node:os';
import type { Config, KafkaConfig } from '../config/config.ts';
import { must } from '../shared/assert.ts';
import { OplogueError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import { FileTunnel } from '../tunnel/file/file-tunnel.ts';
import { KafkaStandby } from '../tunnel/kafka/kafka-standby.ts';
import { KafkaTunnel } from '../tunnel/kafka/kafka-tunnel.ts';
import type { KafkaTunnelOptions } from '../tunnel/kafka/send/kafka-tunnel-options.ts';
import { MockTunnel } from '../tunnel/mock/mock-tunnel.ts';
import { createRpcTunnel } from '../tunnel/rpc/rpc-tunnel.ts';
import { createTcpTunnel } from '../tunnel/tcp/tcp-tunnel.ts';
import type { Tunnel } from '../tunnel/tunnel.ts';
import { encoderThreadsFor } from './encoder-threads-for.ts';

/** Keeps what a takeover needs at hand while another collector is the master. */
export type TunnelStandby = KafkaStandby;

interface TunnelDependencies {
  /** Name of the replica set that is read. */
  readonly source: string;
  readonly budget: MemoryBudget;
  readonly logger: Logger;
  /** With an election: whether this collector still holds its lease. */
  readonly mayWrite: (() => boolean) | undefined;
  /** Aborts when it does not any more. */
  readonly lost: AbortSignal | undefined;
  /** What was made ready before the election. */
  readonly standby: TunnelStandby | undefined;
}

/** The tunnel that `tunnel`, `tunnel.address` and `tunnel.message` ask for. */
export function createTunnel(
  config: Config,
  { source, standby, ...dependencies }: TunnelDependencies,
): Tunnel {
  const { tunnel } = config;
  const lanes = config.workers.count;
  switch (tunnel.kind) {
    case 'kafka': {
      return new KafkaTunnel({
        ...kafkaOptionsOf(config, source),
        readied: standby?.take(),
        lanes,
        message: tunnel.message,
        jsonFormat: tunnel.jsonFormat,
        encoderThreads: encoderThreadsFor(config, availableParallelism()),
        compressor: tunnel.compressor,
        ...dependencies,
      });
    }
    case 'file':
      return new FileTunnel({
        path: tunnel.address,
        lanes,
        message: tunnel.message,
        jsonFormat: tunnel.jsonFormat,
        compressor: tunnel.compressor,
        maxFileBytes: tunnel.fileBytesMax,
        ...dependencies,
      });
    case 'tcp':
    case 'rpc': {
      const { receivers: addresses, tls, compressor } = tunnel;
      const create = tunnel.kind === 'tcp' ? createTcpTunnel : createRpcTunnel;
      return create({ addresses, tls, compressor, lanes, ...dependencies });
    }
    case 'mock':
      return new MockTunnel({ lanes, ...dependencies });
    default:
      throw new OplogueError({
        code: 'TUNNEL_NOT_BUILT',
        message: `tunnel = ${tunnel.kind} is not built yet`,
        hint: 'use kafka, tcp, rpc, file or mock',
      });
  }
}

/** The standby for the tunnel that {@link createTunnel} makes; undefined: there is nothing to make ready for it. */
export function createStandby(
  config: Config,
  { source, logger }: Pick<TunnelDependencies, 'source' | 'logger'>,
): TunnelStandby | undefined {
  if (config.tunnel.kind !== 'kafka') return undefined;
  return new KafkaStandby({ ...kafkaOptionsOf(config, source), logger });
}

function kafkaOptionsOf(
  { tunnel, id }: Config,
  source: string,
): KafkaConfig & Pick<KafkaTunnelOptions, 'exactlyOnce'> {
  const kafka = must(tunnel.kafka, 'the configuration has no part for kafka');
  return { ...kafka, exactlyOnce: kafka.exactlyOnce && { ...kafka.exactlyOnce, id, source } };
}
