import { Long, MongoClient, Timestamp, type Db, type Document } from 'mongodb';
import type { Position } from '../../src/oplog/position.ts';
import { eventually } from '../../testbed/eventually.ts';
import { readTopic, type TopicRecord } from '../../testbed/read-topic.ts';
import {
  runCollector,
  type RunCollectorOptions,
  type RunningCollector,
} from '../../testbed/run-collector.ts';
import { connectKafka } from '../../testbed/start-kafka.ts';
import { newestPosition } from './oplog-recorder.ts';

export interface CollectorJobOptions {
  readonly mongoUrl: string;
  /** Brokers that the test reads from; the collector writes to them too unless `conf` has its own `tunnel.address`. */
  readonly brokers: string;
  /** Database whose changes are carried; by default one of its own, named after its topic. `conf` may have other lists. */
  readonly database?: string;
  /** Where it begins: default at the newest entry of now. */
  readonly after?: Position;
  readonly partitions?: number;
  readonly topicConfig?: Readonly<Record<string, string>>;
  readonly conf?: RunCollectorOptions['conf'];
  readonly nodeArgs?: readonly string[];
  /** Default true: the collector is started and its REST pages answer. */
  readonly startsCollector?: boolean;
}

/** Large enough for any document as any message. */
const roomyTopic = { 'max.message.bytes': String(100 * 1024 * 1024) };

let jobs = 0;

/** A name for a database, topic or collection that no other test uses. */
export function uniqueName(what: string): string {
  jobs++;
  return `${what}-${process.pid}-${jobs}`;
}

/**
 * A real collector between a real MongoDB and a real Kafka, with a topic, a checkpoint and (unless shared) a database of its own.
 * It begins at a checkpoint as MongoShake writes it.
 */
export class CollectorJob implements AsyncDisposable {
  readonly client: MongoClient;
  readonly db: Db;
  readonly topic: string;
  readonly brokers: string;
  readonly mongoUrl: string;
  readonly after: Position;
  readonly replicaSet: string;
  readonly conf: RunCollectorOptions['conf'];
  #collector: RunningCollector | undefined;

  private constructor(parts: {
    client: MongoClient;
    database: string;
    topic: string;
    after: Position;
    replicaSet: string;
    options: CollectorJobOptions;
  }) {
    const { client, database, topic, after, replicaSet, options } = parts;
    this.client = client;
    this.db = client.db(database);
    this.topic = topic;
    this.brokers = options.brokers;
    this.mongoUrl = options.mongoUrl;
    this.after = after;
    this.replicaSet = replicaSet;
    const conf = options.conf ?? {};
    const white = conf['filter.namespace.white'] ?? database;
    const isOpen = 'filter.namespace.black' in conf;
    this.conf = {
      mongo_urls: options.mongoUrl,
      tunnel: 'kafka',
      'tunnel.address': `${topic}@${options.brokers}`,
      'tunnel.message': 'bson',
      'checkpoint.storage.collection': topic,
      'checkpoint.interval': 200,
      ...conf,
      ...(isOpen ? {} : { 'filter.namespace.white': `${white};${topic}.settled` }),
    };
  }

  static async start(options: CollectorJobOptions): Promise<CollectorJob> {
    const topic = uniqueName('collector');
    const kafka = connectKafka(options.brokers);
    await kafka.createTopic({
      topic,
      partitions: options.partitions ?? 1,
      config: options.topicConfig ?? roomyTopic,
    });
    const client = await new MongoClient(options.mongoUrl, { promoteLongs: false }).connect();
    const hello = await client.db('admin').command({ hello: 1 });
    const job = new CollectorJob({
      client,
      database: options.database ?? topic,
      topic,
      after: options.after ?? (await newestPosition(options.mongoUrl)),
      replicaSet: String(hello['setName']),
      options,
    });
    await job.storeCheckpoint({ ckpt: Long.fromBigInt(job.after), version: 2 });
    if (options.startsCollector ?? true) await job.run(options.nodeArgs);
    return job;
  }

  get collector(): RunningCollector {
    if (this.#collector === undefined) throw new Error('the collector has not been started');
    return this.#collector;
  }

  /** Starts the collector for the first time. */
  async run(
    nodeArgs: readonly string[] = [],
    waitUntilReady = true,
    env: Readonly<Record<string, string>> = {},
  ): Promise<RunningCollector> {
    this.#collector = await runCollector({ conf: this.conf, nodeArgs, waitUntilReady, env });
    return this.#collector;
  }

  /** Starts another collector of the same job, with other lines of collector.conf; the one before must have ended. */
  async runWith(conf: RunCollectorOptions['conf']): Promise<RunningCollector> {
    this.#collector = await runCollector({ conf: { ...this.conf, ...conf } });
    return this.#collector;
  }

  /** Puts a checkpoint document where MongoShake has it. */
  async storeCheckpoint(fields: Document): Promise<void> {
    await this.#checkpoints().replaceOne(
      { name: this.replicaSet },
      { name: this.replicaSet, ...fields },
      {
        upsert: true,
      },
    );
  }

  async checkpoint(): Promise<Document> {
    return (await this.#checkpoints().findOne({ name: this.replicaSet })) ?? {};
  }

  /** The stored position. */
  async checkpointed(): Promise<Position> {
    const { ckpt } = await this.checkpoint();
    return Long.isLong(ckpt) ? BigInt.asUintN(64, ckpt.toBigInt()) : 0n;
  }

  /** The entries in the oplog that the collector is to carry, as bytes, in order; by default changes of documents. */
  async oplog(
    filter: Document = { ns: new RegExp(`^(${this.db.databaseName}|${this.topic})\\.(?!\\$cmd)`) },
  ): Promise<Buffer[]> {
    const cursor = this.client
      .db('local')
      .collection('oplog.rs', { readConcern: { level: 'majority' } })
      .find({ ts: { $gt: new Timestamp(this.after) }, ...filter }, { raw: true });
    const entries: Buffer[] = [];
    for await (const entry of cursor) {
      if (!Buffer.isBuffer(entry)) throw new Error('the driver does not give raw documents');
      entries.push(Buffer.from(entry));
    }
    return entries;
  }

  /** Writes a last document and waits until everything up to it counts as durable. @returns its position. */
  async settle(timeoutMs = 60_000): Promise<Position> {
    await this.client
      .db(this.topic)
      .collection<{ _id: string }>('settled')
      .insertOne({ _id: uniqueName('settled') }, { writeConcern: { w: 'majority' } });
    const [newest] = await this.client
      .db('local')
      .collection('oplog.rs')
      .find({ ns: `${this.topic}.settled` }, { sort: { $natural: -1 }, limit: 1 })
      .toArray();
    const ts: unknown = newest?.['ts'];
    if (!(ts instanceof Timestamp)) throw new Error('the last document is not in the oplog');
    const position = BigInt.asUintN(64, ts.toBigInt());
    await this.delivered(position, timeoutMs);
    return position;
  }

  /** Waits until everything up to the position is acknowledged by Kafka. */
  async delivered(position: Position, timeoutMs = 60_000): Promise<void> {
    await eventually(async () => (await this.acknowledged()) >= position, {
      what: `position ${position} to be delivered`,
      timeoutMs,
      detail: () => this.collector.log.split('\n').slice(-15).join('\n'),
      giveUp: () => {
        if (!this.collector.running) throw new Error(`the collector has ended:\n${this.collector.log}`);
      },
    });
  }

  /** The position of the newest delivered batch, as `/repl` says. */
  async acknowledged(): Promise<Position> {
    const page = await this.collector.text('/repl');
    return BigInt(/"lsn_ack":\{[^}]*"ts":"(\d+)"/.exec(page)?.[1] ?? 0);
  }

  records(): Promise<TopicRecord[]> {
    return readTopic({ brokers: this.brokers, topic: this.topic });
  }

  async values(): Promise<Buffer[]> {
    return (await this.records()).map(({ value }) => value ?? Buffer.alloc(0));
  }

  /** Ends the collector at once, and removes its topic and its checkpoint. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#collector?.[Symbol.asyncDispose]();
    await this.#checkpoints().drop();
    await this.client.close();
    await connectKafka(this.brokers).deleteTopic(this.topic);
  }

  #checkpoints(): ReturnType<Db['collection']> {
    return this.client.db('mongoshake').collection(this.topic);
  }
}
