import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Admin } from '@platformatic/kafka';
import { eventually } from './eventually.ts';
import { fetchKafka, type KafkaLine } from './fetch-kafka.ts';
import { freePort } from './free-port.ts';
import { GuardedProcess } from './guarded-process.ts';
import { makeTempFolder } from './process-guard.ts';
import { runTool } from './run-tool.ts';
import { TestbedError } from './testbed-error.ts';

export interface StartKafkaOptions {
  readonly version?: KafkaLine;
  readonly port?: number;
  /** Lines of server.properties that are added to ours or replace them. */
  readonly config?: Readonly<Record<string, string>>;
  /** More arguments for the JVM, for example `-Djava.security.auth.login.config=...`. */
  readonly jvmArguments?: readonly string[];
}

export interface CreateTopicOptions {
  readonly topic: string;
  readonly partitions?: number;
  readonly config?: Readonly<Record<string, string>>;
}

/** A Kafka for tests: one KRaft node of our own, or the cluster that `$KAFKA_BROKERS` names. */
export interface TestKafka extends AsyncDisposable {
  /** `host:port,host:port` */
  readonly brokers: string;
  /** False for `$KAFKA_BROKERS`: kill, stop, start, freeze and thaw then throw. */
  readonly owned: boolean;
  /** Path of the jars, for Kafka's own tools; empty when not owned. */
  readonly jars: string;
  readonly pid: number;
  createTopic(options: CreateTopicOptions): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  listTopics(): Promise<string[]>;
  kill(): Promise<void>;
  /** Orderly stop (SIGTERM); the data stay for `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Ends it for good, at once. */
  [Symbol.asyncDispose](): Promise<void>;
}

const javaHint =
  'install Java 17 or newer (java on PATH), or set KAFKA_BROKERS=host:port to a Kafka of your own';

/**
 * Starts a Kafka that listens on 127.0.0.1 only, or returns the one of `$KAFKA_BROKERS`; ready when it answers.
 * @throws TestbedError with the remedy when Java or Maven is missing, or with the log when it does not start
 */
export async function startKafka(options: StartKafkaOptions = {}): Promise<TestKafka> {
  const given = process.env['KAFKA_BROKERS'];
  if (given !== undefined && given !== '') return connectKafka(given);

  const jars = await fetchKafka(options.version ?? '3.9');
  const port = options.port ?? (await freePort());
  const folder = makeTempFolder('kafka');
  const properties = join(folder, 'server.properties');
  writeFileSync(properties, await serverProperties(folder, port, options.config));
  const java = ['-cp', join(jars, '*'), ...loggingArguments(folder)];
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'b3Bsb2d1ZS10ZXN0YmVkMQ', '-c', properties];
  // C1 only: the format tool runs for a second, optimising it costs more than it gains.
  await runTool({
    command: 'java',
    args: ['-Xmx128m', '-XX:TieredStopAtLevel=1', ...java, ...format],
    hint: javaHint,
  });
  const process_ = new GuardedProcess({
    command: 'java',
    args: ['-Xms256m', '-Xmx512m', ...java, ...(options.jvmArguments ?? []), 'kafka.Kafka', properties],
    logPath: join(folder, 'kafka.log'),
  });
  const kafka = ownedKafka({ process: process_, jars, brokers: `127.0.0.1:${port}` });
  await kafka.start();
  return kafka;
}

function loggingArguments(folder: string): string[] {
  const log4j = join(folder, 'log4j.properties');
  writeFileSync(
    log4j,
    'log4j.rootLogger=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n' +
      'log4j.appender.out.layout=org.apache.log4j.PatternLayout\nlog4j.appender.out.layout.ConversionPattern=%d %p %m (%c)%n\n',
  );
  return [`-Dlog4j.configuration=file:${log4j}`, '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
}

async function serverProperties(
  folder: string,
  port: number,
  config: Readonly<Record<string, string>> = {},
): Promise<string> {
  const controllerPort = await freePort();
  const all: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    // A broker that was killed may come back as soon as its old session is over: 9 s by default.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '400',
    'num.network.threads': '2',
    'num.io.threads': '4',
    // Deleted topics leave the disk at once: half a million entries are half a gigabyte.
    'log.segment.delete.delay.ms': '0',
    'file.delete.delay.ms': '0',
    ...config,
  };
  return Object.entries(all)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

interface OwnedParts {
  readonly process: GuardedProcess;
  readonly jars: string;
  readonly brokers: string;
}

function ownedKafka({ process: broker, jars, brokers }: OwnedParts): TestKafka {
  const stopNow = async (): Promise<void> => {
    await broker.kill();
  };
  return {
    ...topics(brokers),
    brokers,
    jars,
    owned: true,
    get pid() {
      return broker.pid;
    },
    kill: stopNow,
    async stop() {
      await broker.stop();
    },
    async start() {
      broker.start();
      await eventually(() => answers(brokers), {
        what: `Kafka on ${brokers}`,
        timeoutMs: 60_000,
        everyMs: 100,
        detail: () => broker.logTail(),
        giveUp: () => {
          if (!broker.running) throw new TestbedError(`Kafka ended while starting:\n${broker.logTail()}`);
        },
      });
    },
    freeze: () => broker.freeze(),
    thaw: () => broker.thaw(),
    [Symbol.asyncDispose]: stopNow,
  };
}

/** A Kafka that runs already, at `host:port,host:port`: it cannot be stopped from here. */
export function connectKafka(brokers: string): TestKafka {
  const refuse = (): never => {
    throw new TestbedError(
      'The Kafka of KAFKA_BROKERS is not ours to stop',
      'unset KAFKA_BROKERS for this test',
    );
  };
  return {
    ...topics(brokers),
    brokers,
    jars: '',
    owned: false,
    pid: 0,
    kill: async () => refuse(),
    stop: async () => refuse(),
    start: async () => refuse(),
    freeze: refuse,
    thaw: refuse,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function answers(brokers: string): Promise<boolean> {
  return withAdmin(brokers, async (admin) => {
    const metadata = await admin.metadata({ topics: [], forceUpdate: true });
    return metadata.brokers.size > 0;
  });
}

function topics(brokers: string): Pick<TestKafka, 'createTopic' | 'deleteTopic' | 'listTopics'> {
  return {
    createTopic: async ({ topic, partitions = 1, config = {} }) => {
      const configs = Object.entries(config).map(([name, value]) => ({ name, value }));
      await withAdmin(brokers, (admin) =>
        admin.createTopics({ topics: [topic], partitions, replicas: 1, configs }),
      );
      // The controller answers before the broker serves the new topic.
      await eventually(
        () =>
          withAdmin(brokers, async (admin) => (await admin.metadata({ topics: [topic] })).topics.has(topic)),
        { what: `topic ${topic}` },
      );
    },
    deleteTopic: (topic) => withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic] })),
    listTopics: () => withAdmin(brokers, (admin) => admin.listTopics()),
  };
}

async function withAdmin<T>(brokers: string, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin({
    clientId: 'oplogue-testbed',
    bootstrapBrokers: brokers.split(','),
    retries: 3,
    retryDelay: 100,
    connectTimeout: 2_000,
  });
  try {
    return await use(admin);
  } finally {
    await admin.close();
  }
}
