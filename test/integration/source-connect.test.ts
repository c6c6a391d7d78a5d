import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMongo, type ConnectMongoOptions } from '../../src/mongo/connect-mongo.ts';
import { hasUniqueIndex } from '../../src/mongo/has-unique-index.ts';
import { describeError } from '../../src/shared/errors.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import { OplogSource } from '../../src/source/oplog-source.ts';
import { eventually } from '../../testbed/eventually.ts';
import { fetchMongod } from '../../testbed/fetch-mongod.ts';
import { freePort } from '../../testbed/free-port.ts';
import { GuardedProcess } from '../../testbed/guarded-process.ts';
import { makeTempFolder } from '../../testbed/process-guard.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import { startTcpProxy } from '../../testbed/start-tcp-proxy.ts';

const tlsFile = (name: string): string => join(import.meta.dirname, '../vectors/tls', name);

let mongo: TestMongo;
/** The one name that the server's certificate holds. */
let localhostUrl: string;

beforeAll(async () => {
  // Takes TLS and plain connections alike.
  mongo = await startMongo({
    extraArguments: [
      '--tlsMode',
      'preferTLS',
      '--tlsCertificateKeyFile',
      tlsFile('server.pem'),
      '--tlsCAFile',
      tlsFile('ca.pem'),
      '--tlsAllowConnectionsWithoutCertificates',
    ],
  });
  localhostUrl = `mongodb://localhost:${mongo.members[0]?.port}/?directConnection=true`;
});

afterAll(async () => {
  await mongo.stop();
});

/** Connects and returns what went wrong, as a person would read it. */
async function connectFailure(options: Partial<ConnectMongoOptions>): Promise<string> {
  const connecting = connectMongo({
    url: mongo.url,
    connectMode: 'secondaryPreferred',
    purpose: 'source',
    serverSelectionTimeoutMs: 1500,
    ...options,
  });
  const error: unknown = await connecting.then(
    async (connection) => {
      await connection[Symbol.asyncDispose]();
      return undefined;
    },
    (reason: unknown) => reason,
  );
  return error === undefined ? '' : describeError(error);
}

/** Opens a source and returns what went wrong. */
async function openFailure(url: string): Promise<string> {
  await using source = new OplogSource({
    url,
    connectMode: 'secondaryPreferred',
    readConcern: 'majority',
    budget: new MemoryBudget(1024 * 1024),
    logger: silentLogger,
  });
  return source.open(new AbortController().signal).then(
    () => '',
    (error: unknown) => describeError(error),
  );
}

async function startStandalone(extraArguments: readonly string[]) {
  const port = await freePort();
  const folder = makeTempFolder(`mongod-${port}`);
  mkdirSync(join(folder, 'db'));
  const mongod = new GuardedProcess({
    command: await fetchMongod(),
    args: [
      '--port',
      String(port),
      '--bind_ip',
      '127.0.0.1',
      '--dbpath',
      join(folder, 'db'),
      '--nounixsocket',
      ...extraArguments,
    ],
    logPath: join(folder, 'mongod.log'),
  });
  mongod.start();
  const url = `mongodb://127.0.0.1:${port}/`;
  const answers = async (): Promise<boolean> => {
    await using client = new MongoClient(url, { directConnection: true, serverSelectionTimeoutMS: 1000 });
    return (await client.db('admin').command({ ping: 1 }))['ok'] === 1;
  };
  await eventually(answers, { what: 'the mongod', detail: () => mongod.logTail() });
  return { url, mongod };
}

describe('connectMongo names what is wrong and its cure', () => {
  test('a port on which nothing listens', async () => {
    const text = await connectFailure({ url: `mongodb://bob:geheim@127.0.0.1:${await freePort()}/` });
    expect(text).toContain('Cannot connect to the source MongoDB mongodb://bob:***@127.0.0.1');
    expect(text).toContain('ECONNREFUSED');
    expect(text).toContain('check that mongod runs');
    expect(text).not.toContain('geheim');
  });

  test('a host name that does not exist', async () => {
    expect(await connectFailure({ url: 'mongodb://no-such-host.invalid:27017/' })).toContain(
      'the host name is not known',
    );
  });

  test('a wrong password', async () => {
    const text = await connectFailure({ url: mongo.url.replace('mongodb://', 'mongodb://bob:geheim@') });
    expect(text).toContain('user or password is wrong');
    expect(text).not.toContain('geheim');
  });

  test('a password with a raw percent sign', async () => {
    const text = await connectFailure({ url: mongo.url.replace('mongodb://', 'mongodb://bob:ge%heim@') });
    expect(text).toContain('percent-encoded');
    expect(text).not.toContain('ge%heim');
  });

  test('a certificate of an authority that is not trusted', async () => {
    const text = await connectFailure({ tls: { caFile: tlsFile('other-ca.pem') } });
    expect(text).toContain('not signed by a known authority');
    expect(text).toContain('mongo_ssl_root_ca_file');
  });

  test('a host name that the certificate does not name', async () => {
    const text = await connectFailure({ tls: { caFile: tlsFile('ca.pem') } });
    expect(text).toContain("the server's certificate does not hold");
    expect(text).toContain('use a host name that the certificate names');
  });

  test('TLS to a server that does not speak it', async () => {
    const { url, mongod } = await startStandalone([]);
    const text = await connectFailure({ url, tls: { caFile: tlsFile('ca.pem') } });
    await mongod.kill();
    expect(text).toContain('TLS');
  });

  test('a certificate file that is missing or holds no certificate', async () => {
    expect(await connectFailure({ tls: { caFile: tlsFile('nowhere.pem') } })).toContain(
      'nowhere.pem cannot be read',
    );
    expect(await connectFailure({ tls: { caFile: import.meta.filename } })).toContain('holds no certificate');
  });
});

describe('the source names a deployment without an oplog and its cure', () => {
  test('a standalone mongod', async () => {
    const { url, mongod } = await startStandalone([]);
    const text = await openFailure(url);
    await mongod.kill();
    expect(text).toContain('is a standalone mongod, which has no oplog');
    expect(text).toContain('--replSet');
  });

  test('a replica set that has not been initiated', async () => {
    const { url, mongod } = await startStandalone(['--replSet', 'rs9']);
    const text = await openFailure(`${url}?directConnection=true`);
    await mongod.kill();
    expect(text).toContain('rs.initiate()');
  });
});

test('TLS is verified with every certificate of the file, not only with its first', async () => {
  expect(await connectFailure({ url: localhostUrl, tls: { caFile: tlsFile('both-ca.pem') } })).toBe('');
});

test('a connection without verification is possible when it is asked for', async () => {
  expect(
    await connectFailure({ tls: { caFile: tlsFile('other-ca.pem'), allowInvalidCertificates: true } }),
  ).toBe('');
});

test("MongoShake's connect=direct and the mode standalone stay on the one member of the URL", async () => {
  const [member] = mongo.members;
  const proxy = await startTcpProxy(member?.host ?? '');
  for (const options of [
    { url: `mongodb://${proxy.address}/?connect=direct`, connectMode: 'secondaryPreferred' as const },
    { url: `mongodb://${proxy.address}/`, connectMode: 'standalone' as const },
  ]) {
    await using connection = await connectMongo({ ...options, purpose: 'source' });
    await using pinned = await connection.pinMember({
      signal: new AbortController().signal,
      replyTimeoutMs: 5000,
    });
    expect(pinned.host).toBe(proxy.address);
    expect(connection.topology).toMatchObject({ kind: 'replicaSet', setName: mongo.replicaSet });
  }
  await proxy.close();
});

test('hasUniqueIndex sees a unique index besides _id, and nothing in the databases of the server', async () => {
  await using client = new MongoClient(mongo.url);
  await using connection = await connectMongo({ url: mongo.url, connectMode: 'primary', purpose: 'source' });
  const plain = client.db('shop').collection('plain');
  await plain.createIndex({ a: 1 });
  await client.db('admin').collection('own').createIndex({ a: 1 }, { unique: true });
  await client.db('shop').createCollection('view', { viewOn: 'plain', pipeline: [] });
  expect(await hasUniqueIndex(connection)).toBe(false);
  await client.db('other').collection('c').createIndex({ b: 1 }, { unique: true });
  expect(await hasUniqueIndex(connection)).toBe(true);
});

test('a source that is away while its indexes are looked at is to be asked again', async () => {
  const [member] = mongo.members;
  await using proxy = await startTcpProxy(member?.host ?? '');
  await using connection = await connectMongo({
    url: `mongodb://${proxy.address}/`,
    connectMode: 'standalone',
    purpose: 'source',
    serverSelectionTimeoutMs: 500,
  });
  proxy.cut();
  await expect(hasUniqueIndex(connection)).rejects.toMatchObject({ code: 'MONGO_COMMAND', retry: 'again' });
});
