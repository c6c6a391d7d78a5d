import { OplogSource } from '../src/source/oplog-source.ts';
import { MemoryBudget } from '../src/shared/memory-budget.ts';
import { silentLogger } from '../src/shared/logger.ts';
import { extentOf } from '../src/source/oplog-batch.ts';
import { runTool } from '../testbed/run-tool.ts';
import type { TestKafka } from '../testbed/start-kafka.ts';

/** Reads the whole oplog as the collector does and does nothing with it. */
export async function limitOfReading(url: string): Promise<{ perSecond: number; cpuUsPerEntry: number }> {
  const budget = new MemoryBudget(64 * 2 ** 20);
  const stop = new AbortController();
  await using source = new OplogSource({
    url,
    connectMode: 'primary',
    readConcern: 'majority',
    budget,
    logger: silentLogger,
  });
  await source.open(stop.signal);
  const { newest } = await source.window(stop.signal);
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  let entries = 0;
  for await (const batch of source.read(1n << 32n, stop.signal)) {
    const extent = extentOf(batch.bytes, batch.arrayAt);
    budget.give(batch.budgetBytes);
    entries += extent?.count ?? 0;
    if (extent === undefined || extent.last >= newest) break;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  stop.abort();
  return { perSecond: entries / seconds, cpuUsPerEntry: (user + system) / entries };
}

/** Kafka's own ProducerPerformance into one partition; undefined for a Kafka whose jars we do not have. */
export async function limitOfProducing(options: {
  kafka: TestKafka;
  bytes: number;
  records: number;
}): Promise<number | undefined> {
  const { kafka, bytes, records } = options;
  if (kafka.jars === '') return undefined;
  const topic = `bench-limit-${bytes}-${Date.now()}`;
  await kafka.createTopic({ topic });
  try {
    const output = await runTool({
      command: 'java',
      args: [
        ...['-Xmx512m', '-cp', `${kafka.jars}/*`, 'org.apache.kafka.tools.ProducerPerformance'],
        ...['--topic', topic, '--num-records', String(records), '--record-size', String(bytes)],
        ...['--throughput', '-1', '--producer-props', `bootstrap.servers=${kafka.brokers}`],
        ...['acks=all', 'batch.size=524288', 'linger.ms=5', 'buffer.memory=67108864'],
      ],
    });
    const rates = [...output.matchAll(/([\d.]+) records\/sec/g)];
    return Number(rates[rates.length - 1]?.[1]);
  } finally {
    await kafka.deleteTopic(topic);
  }
}
