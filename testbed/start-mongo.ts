import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { eventually } from './eventually.ts';
import { fetchMongod } from './fetch-mongod.ts';
import { freePort } from './free-port.ts';
import { GuardedProcess } from './guarded-process.ts';
import { makeTempFolder } from './process-guard.ts';
import { TestbedError } from './testbed-error.ts';

export interface StartMongoOptions {
  /** Members of the replica set; default 1. */
  readonly members?: number;
  /** Port of the first member; the others follow. */
  readonly port?: number;
  readonly replicaSet?: string;
  readonly setParameters?: Readonly<Record<string, string | number | boolean>>;
  /** Default 990, which holds about a million entries. */
  readonly oplogSizeMb?: number;
  readonly cacheSizeGb?: number;
  /** More command-line arguments for each mongod. */
  readonly extraArguments?: readonly string[];
}

/** One mongod of the set. */
export interface TestMongoMember {
  readonly port: number;
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly pid: number;
  /** Ends it with this signal (default SIGKILL) and waits for its end. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Orderly stop; the data stay for `start`. */
  stop(): Promise<void>;
  /** Starts it again with its data; resolves when it answers. */
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

/** A replica set for tests: our own, or the deployment that `$MONGO_URL` names. */
export interface TestMongo extends AsyncDisposable {
  readonly url: string;
  readonly replicaSet: string;
  /** Empty for `$MONGO_URL`: nothing can be killed then. */
  readonly members: readonly TestMongoMember[];
  /** The member that is writable now; waits for an election to end. */
  primary(): Promise<TestMongoMember>;
  /** Makes the primary step down for `seconds` and returns when another (or, with one member, the same) is writable. */
  stepDown(seconds?: number): Promise<void>;
  /** Ends all members for good, at once. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a replica set that listens on 127.0.0.1 only, or returns the deployment of `$MONGO_URL`; ready when it is
 * writable and all members are in their places.
 * @throws TestbedError with the remedy, or with the log of a mongod that does not start
 */
export async function startMongo(options: StartMongoOptions = {}): Promise<TestMongo> {
  const given = process.env['MONGO_URL'];
  if (given !== undefined && given !== '') return externalMongo(given);

  const mongod = await fetchMongod();
  const replicaSet = options.replicaSet ?? 'rs0';
  const members: Member[] = [];
  for (let i = 0; i < (options.members ?? 1); i++) {
    const port = options.port === undefined ? await freePort() : options.port + i;
    members.push(new Member({ mongod, port, replicaSet, options }));
  }
  const mongo = new OwnedMongo(replicaSet, members);
  try {
    await Promise.all(members.map((member) => member.start()));
    await initiate(replicaSet, members);
  } catch (error) {
    await mongo.stop();
    throw error;
  }
  return mongo;
}

interface MemberParts {
  readonly mongod: string;
  readonly port: number;
  readonly replicaSet: string;
  readonly options: StartMongoOptions;
}

class Member implements TestMongoMember {
  readonly port: number;
  readonly host: string;
  readonly #process: GuardedProcess;

  constructor({ mongod, port, replicaSet, options }: MemberParts) {
    this.port = port;
    this.host = `127.0.0.1:${port}`;
    const folder = makeTempFolder(`mongod-${port}`);
    mkdirSync(join(folder, 'db'));
    const parameters = { diagnosticDataCollectionEnabled: false, ...options.setParameters };
    this.#process = new GuardedProcess({
      command: mongod,
      args: [
        ...['--replSet', replicaSet, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket'],
        ...['--dbpath', join(folder, 'db'), '--oplogSize', String(options.oplogSizeMb ?? 990)],
        ...['--wiredTigerCacheSizeGB', String(options.cacheSizeGb ?? 0.25)],
        ...Object.entries(parameters).flatMap(([name, value]) => ['--setParameter', `${name}=${value}`]),
        ...(options.extraArguments ?? []),
      ],
      logPath: join(folder, 'mongod.log'),
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process.kill(signal);
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async start(): Promise<void> {
    this.#process.start();
    await eventually(() => this.hello(), {
      what: `mongod on ${this.host}`,
      detail: () => this.#process.logTail(),
      giveUp: () => {
        if (this.#process.running) return;
        throw new TestbedError(`mongod ended while starting:\n${this.#process.logTail()}`);
      },
    });
  }

  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  /** What this very member says of itself. */
  hello(): Promise<HelloReply> {
    return withClient(`mongodb://${this.host}/?directConnection=true`, async (client) => {
      const reply = await client.db('admin').command({ hello: 1 });
      return {
        isWritablePrimary: reply['isWritablePrimary'] === true,
        secondary: reply['secondary'] === true,
      };
    });
  }
}

interface HelloReply {
  readonly isWritablePrimary: boolean;
  readonly secondary: boolean;
}

class OwnedMongo implements TestMongo {
  readonly url: string;
  readonly replicaSet: string;
  readonly members: readonly Member[];

  constructor(replicaSet: string, members: readonly Member[]) {
    this.replicaSet = replicaSet;
    this.members = members;
    this.url = `mongodb://${members.map((member) => member.host).join(',')}/?replicaSet=${replicaSet}`;
  }

  async primary(): Promise<Member> {
    return eventually(
      async () => {
        const answers = await Promise.allSettled(this.members.map((member) => member.hello()));
        return this.members.find((_, i) => {
          const answer = answers[i];
          return answer?.status === 'fulfilled' && answer.value.isWritablePrimary;
        });
      },
      { what: `a primary of ${this.replicaSet}`, timeoutMs: 60_000 },
    );
  }

  async stepDown(seconds = 5): Promise<void> {
    const primary = await this.primary();
    await withClient(`mongodb://${primary.host}/?directConnection=true`, (client) =>
      client.db('admin').command({ replSetStepDown: seconds, secondaryCatchUpPeriodSecs: 1, force: true }),
    );
    await this.primary();
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Elections of tests are quick: a member counts as dead after two seconds instead of ten. */
const electionSettings = { electionTimeoutMillis: 2_000, heartbeatIntervalMillis: 500 };

async function initiate(replicaSet: string, members: readonly Member[]): Promise<void> {
  const first = members[0];
  if (first === undefined) throw new TestbedError('A replica set needs a member');
  const config = {
    _id: replicaSet,
    members: members.map((member, i) => ({ _id: i, host: member.host })),
    settings: electionSettings,
  };
  await withClient(`mongodb://${first.host}/?directConnection=true`, (client) =>
    client.db('admin').command({ replSetInitiate: config }),
  );
  await eventually(
    async () => {
      const states = await Promise.all(members.map((member) => member.hello()));
      return (
        states.some((state) => state.isWritablePrimary) &&
        states.every((state) => state.isWritablePrimary || state.secondary)
      );
    },
    { what: `all members of ${replicaSet}`, timeoutMs: 60_000 },
  );
}

async function externalMongo(url: string): Promise<TestMongo> {
  const refuse = (): never => {
    throw new TestbedError(
      'The deployment of MONGO_URL is not ours to stop',
      'unset MONGO_URL for this test',
    );
  };
  const replicaSet = await withClient(url, async (client) => {
    const hello = await client.db('admin').command({ hello: 1 });
    return String(hello['setName'] ?? '');
  });
  const nothing = async (): Promise<void> => undefined;
  return {
    url,
    replicaSet,
    members: [],
    primary: async () => refuse(),
    stepDown: async () => refuse(),
    stop: nothing,
    [Symbol.asyncDispose]: nothing,
  };
}

async function withClient<T>(url: string, use: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 2_000 });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}
