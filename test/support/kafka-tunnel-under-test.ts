import { decodeRawMessage } from '../../src/message/decode-raw-message.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import { KafkaTunnel } from '../../src/tunnel/kafka/kafka-tunnel.ts';
import type { KafkaTunnelOptions } from '../../src/tunnel/kafka/send/kafka-tunnel-options.ts';
import { eventually } from '../../testbed/eventually.ts';
import { readTopic, type TopicRecord } from '../../testbed/read-topic.ts';
import type { TestKafka } from '../../testbed/start-kafka.ts';
import type { MakeTunnel } from './tunnel-conformance.ts';

let topics = 0;

/** A name that no other test uses. */
export function newTopicName(): string {
  topics++;
  return `kafka-tunnel-${process.pid}-${topics}`;
}

export type TunnelSettings = Partial<KafkaTunnelOptions> & { readonly topic: string };

/** A tunnel of bson messages, three lanes and one partition, unless said otherwise; creates its topic. Not opened yet. */
export function newKafkaTunnel(brokers: string, settings: TunnelSettings): KafkaTunnel {
  const message = settings.message ?? 'bson';
  return new KafkaTunnel({
    brokers: brokers.split(',').map((broker) => {
      const at = broker.lastIndexOf(':');
      return { host: broker.slice(0, at), port: Number(broker.slice(at + 1)) };
    }),
    clientId: 'oplogue-test',
    partitionNumber: 1,
    partitioner: 'worker',
    compression: 'none',
    maxMessageBytes: 18 * 1024 * 1024,
    headers: false,
    exactlyOnce: undefined,
    sasl: undefined,
    tls: undefined,
    topicCreation: { enabled: true, partitions: 1, replicationFactor: undefined },
    lanes: 3,
    message,
    jsonFormat: '',
    encoderThreads: 0,
    encoderProgram: new URL('../../dist/tunnel/kafka/send/encoder-thread.js', import.meta.url),
    compressor: 'none',
    budget: new MemoryBudget(64 * 1024 * 1024),
    logger: silentLogger,
    ...settings,
  });
}

/** What a read_committed consumer sees, once the broker has written the markers of the transactions that it has committed. */
async function committedRecords(brokers: string, topic: string): Promise<TopicRecord[] | undefined> {
  const all = await readTopic({ brokers, topic, isolation: 'read_uncommitted' });
  const committed = await readTopic({ brokers, topic });
  return committed.length >= all.length ? committed : undefined;
}

/** For the expectations that hold for every tunnel. */
export function makeKafkaTunnel(
  kafka: () => TestKafka,
  message: 'raw' | 'bson',
  make: (brokers: string, settings: TunnelSettings) => KafkaTunnel = newKafkaTunnel,
): MakeTunnel {
  return ({ lanes, budget }) => {
    const topic = newTopicName();
    const { brokers } = kafka();
    const tunnel = make(brokers, { topic, lanes, budget, message });
    return Promise.resolve({
      tunnel,
      async received() {
        const records = await eventually(() => committedRecords(brokers, topic), {
          what: 'the markers of all transactions',
        });
        const values = records.map(({ value }) => value ?? Buffer.alloc(0));
        return message === 'bson' ? values : values.flatMap((value) => [...decodeRawMessage(value).logs]);
      },
      stall() {
        kafka().freeze();
        return Promise.resolve(() => {
          kafka().thaw();
          return Promise.resolve();
        });
      },
      breakForGood: () => kafka().deleteTopic(topic),
      async [Symbol.asyncDispose]() {
        if (kafka().owned) kafka().thaw();
        await tunnel[Symbol.asyncDispose]();
        if ((await kafka().listTopics()).includes(topic)) await kafka().deleteTopic(topic);
      },
    });
  };
}
