import type { ReceiverTunnelConfig } from '../config/receiver-config.ts';
import type { Logger } from '../shared/logger.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import { FileReceiver } from '../tunnel/file/file-receiver.ts';
import { connectionOptions } from '../tunnel/kafka/client/connection-options.ts';
import { KafkaReceiver } from '../tunnel/kafka/kafka-receiver.ts';
import type { MessageReader } from '../tunnel/message-reader.ts';
import { MockReceiver } from '../tunnel/mock/mock-receiver.ts';
import { RpcReceiverServer } from '../tunnel/rpc/rpc-receiver-server.ts';
import { RECEIVER_LIMITS } from '../tunnel/socket/receiver-server-options.ts';
import { ReceivedBefore } from '../tunnel/socket/received-before.ts';
import { TcpReceiverServer } from '../tunnel/tcp/tcp-receiver-server.ts';

/** A broker that gives no answer for so long is taken for dead. */
const KAFKA_REQUEST_TIMEOUT_MS = 20_000;

/** The way in that `tunnel` and `tunnel.address` of receiver.conf ask for. */
export function createMessageReader(
  tunnel: ReceiverTunnelConfig,
  { logger, budget, replayers }: { logger: Logger; budget: MemoryBudget; replayers: number },
): MessageReader {
  switch (tunnel.kind) {
    case 'tcp':
    case 'rpc': {
      const receivedBefore = new ReceivedBefore(tunnel.restartFile, logger);
      const limits = messageLimits(budget);
      const options = { address: tunnel.address, tls: tunnel.tls, receivedBefore, logger, ...limits };
      return tunnel.kind === 'tcp' ? new TcpReceiverServer(options) : new RpcReceiverServer(options);
    }
    case 'file':
      return new FileReceiver({ ...tunnel, logger });
    case 'kafka':
      return new KafkaReceiver({
        ...tunnel,
        groupId: tunnel.group,
        budget,
        connection: connectionOptions(tunnel, KAFKA_REQUEST_TIMEOUT_MS),
        logger,
      });
    default:
      return new MockReceiver({ shards: replayers });
  }
}

/**
 * A MongoShake collector sends all that is not acknowledged in one message when it is asked to: what the budget held, and what was on its way.
 */
function messageLimits({ limitBytes }: MemoryBudget): { messageBytesMax: number; partialBytesMax: number } {
  const messageBytesMax = Math.max(RECEIVER_LIMITS.messageBytesMax, 1.5 * limitBytes);
  return { messageBytesMax, partialBytesMax: 2 * messageBytesMax };
}
