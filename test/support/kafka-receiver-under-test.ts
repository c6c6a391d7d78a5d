import { Admin, Producer, type MessageToProduce } from '@platformatic/kafka';
import { onTestFinished } from 'vitest';
import { silentLogger } from '../../src/shared/logger.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import type { BrokerAddress } from '../../src/tunnel/kafka/client/broker-address.ts';
import { KafkaReceiver, type KafkaReceiverOptions } from '../../src/tunnel/kafka/kafka-receiver.ts';
import type { MessageHandler } from '../../src/tunnel/message-reader.ts';
import { eventually } from '../../testbed/eventually.ts';
import type { MessageRecorder } from './message-recorder.ts';

const never = new AbortController().signal;

export type ReceiverSettings = Partial<KafkaReceiverOptions> & { readonly topic: string };

let groups = 0;

/** A name that no other test uses. */
export function newGroupName(): string {
  groups++;
  return `kafka-receiver-${process.pid}-${groups}`;
}

/** A receiver of all forms in a group of its own, unless said otherwise. Not opened yet. */
export function newKafkaReceiver(brokers: string, settings: ReceiverSettings): KafkaReceiver {
  return new KafkaReceiver({
    brokers: addressesOf(brokers),
    groupId: newGroupName(),
    message: 'auto',
    budget: new MemoryBudget(64 * 1024 * 1024),
    connection: { clientId: 'oplogue-test', connectTimeoutMs: 2000, requestTimeoutMs: 5000 },
    logger: silentLogger,
    ...settings,
  });
}

function addressesOf(brokers: string): BrokerAddress[] {
  return brokers.split(',').map((broker) => {
    const at = broker.lastIndexOf(':');
    return { host: broker.slice(0, at), port: Number(broker.slice(at + 1)) };
  });
}

/** Writes values into one partition with one request; null: a tombstone. */
export async function produce(
  brokers: string,
  topic: string,
  values: ReadonlyArray<Buffer | string | null>,
  options: { partition?: number; transaction?: 'commit' | 'abort' } = {},
): Promise<void> {
  const { partition = 0, transaction } = options;
  const producer = newProducer(brokers, transaction === undefined ? undefined : `${topic}-producer`);
  const messages = values.map((value): MessageToProduce => {
    const record = { topic, partition, key: Buffer.from('k') };
    return value === null ? record : { ...record, value: Buffer.from(value) };
  });
  try {
    if (transaction === undefined) {
      await producer.send({ acks: -1, messages });
      return;
    }
    const open = await producer.beginTransaction();
    await open.send({ acks: -1, messages });
    await open[transaction]();
  } finally {
    await producer.close();
  }
}

function newProducer(brokers: string, transactionalId?: string): Producer {
  return new Producer({
    clientId: 'oplogue-test',
    bootstrapBrokers: brokers.split(','),
    retries: 20,
    retryDelay: 20,
    ...(transactionalId === undefined
      ? {}
      : { idempotent: true, transactionalId, producerId: -1n, producerEpoch: -1 }),
  });
}

/** What a group has committed, by partition; without those that have no offset. */
export async function committedOffsets(brokers: string, groupId: string): Promise<Record<number, number>> {
  return withAdmin(brokers, async (admin) => {
    const [group] = await admin.listConsumerGroupOffsets({ groups: [groupId] });
    const partitions = group?.topics.flatMap((topic) => topic.partitions) ?? [];
    const committed = partitions.filter(({ committedOffset }) => committedOffset >= 0n);
    return Object.fromEntries(
      committed.map(({ partitionIndex, committedOffset }) => [partitionIndex, Number(committedOffset)]),
    );
  });
}

export async function withAdmin<T>(brokers: string, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin({ clientId: 'oplogue-test', bootstrapBrokers: brokers.split(','), retries: 5 });
  try {
    return await use(admin);
  } finally {
    await admin.close();
  }
}

/** JSON texts with the numbers of a range. */
export function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `{"n":${from + i}}`);
}

/** Opens a receiver that is closed when the test ends. */
export async function opened(
  brokers: string,
  settings: ReceiverSettings,
  handler: MessageHandler,
): Promise<KafkaReceiver> {
  const receiver = newKafkaReceiver(brokers, settings);
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  await receiver.open(handler, never);
  return receiver;
}

/** Waits until so many messages have come. */
export function arrived(
  recorder: MessageRecorder,
  count: number,
  receiver?: KafkaReceiver,
): Promise<boolean> {
  return eventually(() => recorder.messages.length >= count, {
    what: `${count} messages`,
    detail: () => `${recorder.messages.length} are here; trouble: ${receiver?.trouble}`,
    giveUp: () => receiver?.failed.throwIfAborted(),
  });
}
