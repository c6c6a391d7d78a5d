import { freePort } from '../../../testbed/free-port.ts';
import {
  runCollector,
  type RunCollectorOptions,
  type RunningCollector,
} from '../../../testbed/run-collector.ts';
import { startKafka, type TestKafka } from '../../../testbed/start-kafka.ts';
import { startMongo, type TestMongo } from '../../../testbed/start-mongo.ts';
import { startTcpProxy, type TcpProxy } from '../../../testbed/start-tcp-proxy.ts';

export type Delivery = 'at_least_once' | 'exactly_once';

export interface FaultStageOptions {
  /** Members of the source: with one the collectors reach it through a proxy, with three it has elections. */
  readonly members: 1 | 3;
  readonly delivery: Delivery;
  /** More than one: with master_quorum. */
  readonly collectors: number;
  readonly message: 'bson' | 'raw';
  /** `lanes.threads`; default 0. */
  readonly threads?: number;
}

export const DATABASE = 'faults';
export const TOPIC = 'faults';
const PARTITIONS = 4;
/** Below the batches that the collector makes, so that it must divide them. */
const MAX_MESSAGE_BYTES = 100_000;

/** Lets SIGUSR2 turn the clock: an hour forward, then an hour back, then right again. */
const clockJumps = `data:text/javascript,${encodeURIComponent(`
  const hour = 3_600_000;
  const shifts = [hour, -hour, 0];
  const RealDate = Date;
  let shift = 0;
  globalThis.Date = class extends RealDate {
    constructor(...parts) {
      if (parts.length === 0) super(RealDate.now() + shift);
      else super(...parts);
    }
    static now() {
      return RealDate.now() + shift;
    }
  };
  process.on('SIGUSR2', () => {
    shift = shifts.shift();
    shifts.push(shift);
  });
`)}`;

/** The servers, the collectors, and the networks between them. */
export interface FaultStage extends AsyncDisposable {
  readonly mongo: TestMongo;
  /** Holds checkpoints and the election: a deployment of its own. */
  readonly store: TestMongo;
  readonly kafka: TestKafka;
  readonly collectors: readonly RunningCollector[];
  /** Only with one member. */
  readonly sourceProxy: TcpProxy | undefined;
  readonly storeProxy: TcpProxy;
  readonly kafkaProxy: TcpProxy;
  /** Another collector of the same job. */
  runExtraCollector(env: Readonly<Record<string, string>>): Promise<RunningCollector>;
}

/** What has been opened, closed in the opposite order. */
class OpenedParts implements AsyncDisposable {
  readonly #parts: AsyncDisposable[] = [];

  use<T extends AsyncDisposable>(part: T): T {
    this.#parts.push(part);
    return part;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.#parts.toReversed()) await part[Symbol.asyncDispose]();
  }
}

/** Starts everything; the collectors answer. */
export async function startFaultStage(options: FaultStageOptions): Promise<FaultStage> {
  const opened = new OpenedParts();
  try {
    const [mongo, store, { kafka, kafkaProxy }] = await Promise.all([
      startMongo({ members: options.members, oplogSizeMb: 990 }).then((server) => opened.use(server)),
      startMongo({ replicaSet: 'store', oplogSizeMb: 50 }).then((server) => opened.use(server)),
      startProxiedKafka(opened),
    ]);
    const config = { 'max.message.bytes': String(MAX_MESSAGE_BYTES) };
    await kafka.createTopic({ topic: TOPIC, partitions: PARTITIONS, config });
    const storeProxy = opened.use(await startTcpProxy(hostOf(store)));
    const sourceProxy = options.members === 1 ? opened.use(await startTcpProxy(hostOf(mongo))) : undefined;
    const conf = {
      mongo_urls: sourceProxy === undefined ? mongo.url : `mongodb://${sourceProxy.address}/`,
      mongo_connect_mode: sourceProxy === undefined ? 'primary' : 'standalone',
      'checkpoint.storage.url': `mongodb://${storeProxy.address}/?directConnection=true`,
      'checkpoint.interval': 500,
      'filter.namespace.white': DATABASE,
      'incr_sync.worker': 8,
      'incr_sync.shard_key': 'id',
      tunnel: 'kafka',
      'tunnel.address': `${TOPIC}@${kafkaProxy.address}`,
      'tunnel.message': options.message,
      'tunnel.kafka.partition_number': PARTITIONS,
      'tunnel.kafka.delivery': options.delivery,
      'lanes.threads': options.threads ?? 0,
      ...(options.collectors > 1 ? { master_quorum: true } : {}),
    };
    const run = async (more: Partial<RunCollectorOptions> = {}): Promise<RunningCollector> =>
      opened.use(await runCollector({ conf, nodeArgs: [`--import=${clockJumps}`], ...more }));
    const collectors = await Promise.all(Array.from({ length: options.collectors }, () => run()));
    return {
      ...{ mongo, store, kafka, collectors, sourceProxy, storeProxy, kafkaProxy },
      runExtraCollector: (env) => run({ env, waitUntilReady: false }),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

/** A broker that collectors reach through a proxy, at an address of its own, and readers directly. */
async function startProxiedKafka(opened: OpenedParts): Promise<{ kafka: TestKafka; kafkaProxy: TcpProxy }> {
  const [port, proxied, controller] = [await freePort(), await freePort(), await freePort()];
  const kafkaProxy = opened.use(await startTcpProxy(`127.0.0.1:${proxied}`));
  const kafka = await startKafka({
    port,
    config: {
      listeners: `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxied},CONTROLLER://127.0.0.1:${controller}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},PROXIED://${kafkaProxy.address}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    },
  });
  return { kafka: opened.use(kafka), kafkaProxy };
}

function hostOf({ members: [member] }: TestMongo): string {
  if (member === undefined) throw new Error('The suite needs servers of its own: unset MONGO_URL');
  return member.host;
}
