import type { Logger } from '../../../shared/logger.ts';
import { NotReadyError, type KafkaCluster, type TopicMetadata } from '../client/kafka-cluster.ts';
import { KafkaCode, KafkaTunnelError } from '../client/kafka-error.ts';
import type { KafkaTunnelOptions } from './kafka-tunnel-options.ts';

/**
 * Creates the tunnel's topic.
 * @param missing what the cluster has said of it
 * @throws KafkaTunnelError when it must not be created
 * @throws NotReadyError when not all brokers know it yet
 */
export async function createTopic(
  cluster: KafkaCluster,
  options: {
    topic: string;
    creation: KafkaTunnelOptions['topicCreation'];
    missing: TopicMetadata;
    logger: Logger;
  },
  signal: AbortSignal,
): Promise<TopicMetadata> {
  const { topic: name, creation, missing, logger } = options;
  if (!creation.enabled) {
    throw new KafkaTunnelError({
      code: 'KAFKA_NO_TOPIC',
      message: `There is no topic ${name} in this Kafka`,
      hint: `create it (kafka-topics.sh --create --topic ${name}), or set tunnel.kafka.topic.create = true`,
    });
  }
  const { partitions, replicationFactor } = creation;
  const { controller } = missing;
  await cluster.createTopic({ name, partitions, replicationFactor, controller }, signal);
  logger.info({ topic: name, partitions }, 'topic created');
  // Brokers learn of it a moment after the controller has answered; until then this counts as passing.
  const topic = await cluster.topic(name, signal);
  if (topic.errorCode === KafkaCode.unknownTopicOrPartition) {
    throw new NotReadyError(`Topic ${name} has been created and is not known to all brokers yet`, {
      hasAnswered: true,
    });
  }
  return topic;
}
