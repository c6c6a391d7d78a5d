import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiCheckpointStore } from '../../src/checkpoint/api-checkpoint-store.ts';
import { freePort } from '../../testbed/free-port.ts';

const position = 6_795_629_284_178_919_425n;
const checkpoint = { name: 'rs0', position, fetchMethod: 'oplog', diskQueue: '' };

/** A checkpoint service as users of MongoShake write one: it keeps what it is given. */
class Service {
  body = '';
  status = 200;
  readonly requests: string[] = [];
  authorization: string | undefined;
  hangs = false;
  readonly server: Server = createServer((request, response) => {
    void this.#answer(request, response);
  });

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url} ${request.headers['content-type'] ?? ''}`.trim());
    this.authorization = request.headers.authorization;
    if (this.hangs) return;
    const body = await text(request);
    if (request.method === 'POST' && this.status === 200) this.body = body;
    response.writeHead(this.status).end(this.body);
  }
}

let service: Service;
let url: string;
let store: ApiCheckpointStore;

beforeEach(async () => {
  service = new Service();
  const port = await freePort();
  await new Promise<void>((resolve) => {
    service.server.listen(port, '127.0.0.1', resolve);
  });
  url = `http://127.0.0.1:${port}/ckpt`;
  store = new ApiCheckpointStore({ url, timeoutMs: 500 });
});

afterEach(() => {
  service.server.closeAllConnections();
  service.server.close();
});

describe('ApiCheckpointStore', () => {
  test("posts MongoShake's six fields, 64-bit numbers exact, and reads them back", async () => {
    await store.save(checkpoint);
    expect(service.body).toBe(
      '{"name":"rs0","ckpt":6795629284178919425,"version":2,"fetch_method":"oplog","oplog_disk_queue":"","oplog_disk_queue_apply_finish_ts":0}',
    );
    expect(service.requests).toEqual(['GET /ckpt?name=rs0', 'POST /ckpt?name=rs0 application/json']);
    expect(await store.load('rs0')).toEqual(checkpoint);
  });

  test('goes forward only', async () => {
    await store.save(checkpoint);
    const before = service.body;
    await store.save({ ...checkpoint, position: position - 1n });
    expect(service.body).toBe(before);
    await store.save({ ...checkpoint, position: position + 1n });
    expect(await store.load('rs0')).toMatchObject({ position: position + 1n });
  });

  test.each(['', '{}', 'null', '{"ckpt":0}', '{"name":"","ckpt":null}'])(
    'the answer %j means that there is none',
    async (body) => {
      service.body = body;
      expect(await store.load('rs0')).toBeUndefined();
    },
  );

  test('status 404 means that there is none', async () => {
    service.status = 404;
    service.body = 'not found';
    expect(await store.load('rs0')).toBeUndefined();
  });

  test('another status is an error, not a success as in MongoShake', async () => {
    service.status = 500;
    service.body = 'disk full';
    await expect(store.load('rs0')).rejects.toThrow('answers with status 500: disk full');
    await expect(store.save(checkpoint)).rejects.toThrow('status 500');
  });

  test.each([
    ['<html>', 'no JSON object'],
    ['[1]', 'no JSON object'],
    ['{"ckpt":"6795629284178919425"}', 'no integer'],
    ['{"ckpt":1.5}', 'no integer'],
    ['{"ckpt":5,"version":9}', 'version 9'],
    ['{"ckpt":5,"name":"rs1"}', 'the checkpoint of rs1, not of rs0'],
  ])('the answer %s is refused', async (body, words) => {
    service.body = body;
    await expect(store.load('rs0')).rejects.toThrow(words);
  });

  test('a service that does not answer is an error after the timeout', async () => {
    service.hangs = true;
    await expect(store.load('rs0')).rejects.toThrow('does not answer');
  });

  test('user and password of the address are sent as basic authentication and shown nowhere', async () => {
    const locked = new ApiCheckpointStore({ url: url.replace('http://', 'http://bob:ge%40heim@') });
    service.status = 401;
    const error: unknown = await locked.load('rs0').catch((reason: unknown) => reason);
    expect(service.authorization).toBe(`Basic ${Buffer.from('bob:ge@heim').toString('base64')}`);
    expect(error).toHaveProperty('message', expect.not.stringContaining('heim'));
  });

  test('an address that is no URL is refused at once, with the key to change', () => {
    expect(() => new ApiCheckpointStore({ url: 'ckpt_default' })).toThrow('is not an http or https URL');
  });
});
