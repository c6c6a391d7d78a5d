import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { COMPRESSORS } from '../../message/compressor.ts';
import { decodeRawMessage } from '../../message/decode-raw-message.ts';
import { RawTag } from '../../message/raw-message.ts';
import { RawMessageError } from '../../message/raw-message-error.ts';
import { ByteWriter } from '../../shared/byte-writer.ts';
import { OutMessage } from '../socket/out-message.ts';
import { GobError } from './gob-error.ts';
import { GobStream } from './gob-stream.ts';
import { RpcForm } from './rpc-form.ts';
import {
  encodeEmptyMessage,
  encodeRequest,
  MESSAGE_DEFINITION,
  readInt64,
  readMessage,
  readRequest,
  readResponse,
  RpcAnswers,
} from './rpc-wire.ts';

interface Vectors {
  readonly rpc: {
    readonly steps: ReadonlyArray<{
      readonly call: string;
      readonly client_to_server_hex: string;
      readonly return: number;
      readonly server_to_client_hex: string;
    }>;
    readonly gob_request_then_tmessage: readonly string[];
    readonly gob_response_then_int64: readonly string[];
  };
}

const METHOD = 'TunnelRPC.Transfer';
const { rpc }: Vectors = JSON.parse(
  readFileSync(new URL('../../../test/vectors/sockets.json', import.meta.url), 'utf8'),
);

function readAll<T>(stream: GobStream, hex: string, read: (stream: GobStream) => T | undefined): T[] {
  const values: T[] = [];
  // Byte by byte: nothing may depend on how the network cuts it.
  for (const byte of Buffer.from(hex, 'hex')) {
    stream.queue.push(Buffer.of(byte));
    const value = read(stream);
    if (value !== undefined) values.push(value);
  }
  return values;
}

/** What the client of the recorded connection sent, call by call. */
function readCalls(): Array<{ seq: number; method: string; bytes: Buffer }> {
  const stream = new GobStream(1024 * 1024);
  let request: { seq: number; method: string } | undefined;
  return readAll(stream, rpc.steps.map((step) => step.client_to_server_hex).join(''), () => {
    const value = stream.next();
    if (value === undefined) return undefined;
    if (request === undefined) {
      request = readRequest(stream, value);
      return undefined;
    }
    const call = { ...request, bytes: readMessage(stream, value) };
    request = undefined;
    return call;
  });
}

describe('the rpc connection recorded from Go', () => {
  it('has four calls that are read with all their fields', () => {
    const calls = readCalls();
    expect(calls.map(({ seq, method }) => ({ seq, method }))).toEqual(
      [0, 1, 2, 3].map((seq) => ({ seq, method: METHOD })),
    );
    const [one, two, probe] = calls.map(({ bytes }, index) =>
      index < 3 ? decodeRawMessage(bytes) : undefined,
    );
    expect(one).toMatchObject({
      tag: 0x100,
      shard: 0,
      compressor: 'none',
      checksum: 0xb2c52e0a,
      incomplete: false,
    });
    expect(one?.logs).toHaveLength(1);
    expect(two).toMatchObject({
      tag: 0x100,
      shard: 1,
      compressor: 'gzip',
      declaredLogs: 2,
      incomplete: false,
    });
    expect(probe).toMatchObject({ tag: 0x110, shard: 0, declaredLogs: 0 });
    expect(() => decodeRawMessage(calls[3].bytes)).toThrow(RawMessageError);
  });

  it('is written byte for byte by the collector', () => {
    const sent = readCalls().map(({ bytes }, seq) => Buffer.concat([encodeRequest(seq), writeAgain(bytes)]));
    // The second was compressed by Go, whose bytes differ from ours; the fourth has a wrong checksum.
    for (const seq of [0, 2]) expect(sent[seq].toString('hex')).toBe(rpc.steps[seq].client_to_server_hex);
  });

  it('is answered byte for byte by the receiver', () => {
    const answers = new RpcAnswers();
    const given = [0n, 0n, 0x5e4fa22400000001n, -6n];
    for (const [seq, step] of rpc.steps.entries()) {
      expect(answers.encode({ method: METHOD, seq }, given[seq]).toString('hex')).toBe(
        step.server_to_client_hex,
      );
    }
  });

  it('has answers that are read', () => {
    const stream = new GobStream(1024);
    let head: { seq: number; error: string } | undefined;
    const answers = readAll(stream, rpc.steps.map((step) => step.server_to_client_hex).join(''), () => {
      const value = stream.next();
      if (value === undefined) return undefined;
      if (head === undefined) {
        head = readResponse(stream, value);
        return undefined;
      }
      const answer = { ...head, ack: readInt64(value) };
      head = undefined;
      return answer;
    });
    expect(answers).toEqual([0n, 0n, 0x5e4fa22400000001n, -6n].map((ack, seq) => ({ seq, error: '', ack })));
  });
});

describe('a message of the collector', () => {
  const log = decodeRawMessage(readCalls()[0].bytes).logs[0];

  it.each(COMPRESSORS)('is read back by the receiver, first and when it is sent again: %s', (compressor) => {
    const form = new RpcForm({ shard: 300, compressor });
    const stream = new GobStream(1024 * 1024);
    stream.queue.push(MESSAGE_DEFINITION);
    for (const count of [1, 2, 200]) {
      const message = new OutMessage(new ByteWriter(16));
      form.begin(message.out);
      for (let i = 0; i < count; i++) form.append(log, 0, log.length);
      message.seal(form.finish());
      for (const tag of [0x100, 0x101]) {
        stream.queue.push(Buffer.from(message.bytesToSend()));
        const value = stream.next();
        const raw = decodeRawMessage(value === undefined ? Buffer.alloc(0) : readMessage(stream, value));
        expect(raw).toMatchObject({ shard: 300, tag, compressor, declaredLogs: count, incomplete: false });
        expect(raw.logs.every((whole) => whole.equals(log))).toBe(true);
      }
    }
  });
});

describe('a gob stream', () => {
  it('gives every position and reply code back', () => {
    const answers = new RpcAnswers();
    const stream = new GobStream(1024);
    for (const [seq, ack] of [0n, 1n, -1n, 63n, 64n, -64n, -65n, 2n ** 63n - 1n, -(2n ** 63n)].entries()) {
      stream.queue.push(answers.encode({ method: METHOD, seq }, ack));
      const head = stream.next();
      expect(head && readResponse(stream, head)).toEqual({ seq, error: '' });
      const body = stream.next();
      expect(body && readInt64(body)).toBe(ack);
    }
  });

  it('gives an error of net/rpc back', () => {
    const answers = new RpcAnswers();
    const stream = new GobStream(1024);
    for (const seq of [0, 1, 200]) {
      stream.queue.push(answers.encode({ method: 'X.Y', seq }, { error: 'no' }));
      const head = stream.next();
      expect(head && readResponse(stream, head)).toEqual({ seq, error: 'no' });
      expect(stream.next()).toBeDefined();
    }
  });

  it('takes other type ids, fields in another order, and fields that it does not know', () => {
    // type T (id 70) struct { Extra map[string][]int (72); Tag uint; RawLogs (71) }
    const field = (name: string, type: string): string => `01${text(name)}01${type}00`;
    const struct = `ff8b0301${common(70)}0103${field('Extra', 'ff90')}${field('Tag', '06')}${field('RawLogs', 'ff8e')}0000`;
    const value = `ff8c0101${text('k')}02020401ff64010201ab02cdef00`;
    const stream = new GobStream(1024);
    const list = `ff8d0201${common(71)}010a0000`;
    const map = `ff8f0401${common(72)}010c01ff920000`;
    const ints = `ff910201${common(73)}01040000`;
    for (const message of [struct, list, map, ints, value]) push(stream, message);
    const read = stream.next();
    if (read === undefined) throw new Error('no value');
    const bytes = readMessage(stream, read);
    expect(decodeRawMessage(bytes)).toMatchObject({
      tag: 100,
      shard: 0,
      logs: [Buffer.from('ab', 'hex'), Buffer.from('cdef', 'hex')],
    });
  });

  it.each([
    ['a length above the limit', 'fc40000000'],
    ['a bad length', '80'],
    ['a type that is not defined', '05ff9001ff00'],
    ['a type defined twice', rpc.gob_request_then_tmessage[0].slice(0, 94).repeat(2)],
    ['the definition of a basic type', '020503'],
    ['a length that passes the end', `${rpc.gob_request_then_tmessage[0].slice(0, 94)}06ff800150aabb`],
  ])('refuses %s', (_, hex) => {
    const stream = new GobStream(1024 * 1024);
    stream.queue.push(Buffer.from(hex, 'hex'));
    expect(() => {
      const value = stream.next();
      if (value !== undefined) readRequest(stream, value);
    }).toThrow(GobError);
  });
});

function push(stream: GobStream, bodyHex: string): void {
  const body = Buffer.from(bodyHex, 'hex');
  stream.queue.push(Buffer.concat([Buffer.of(body.length), body]));
}

function text(value: string): string {
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value)]).toString('hex');
}

/** Name left out, id as a signed number of two bytes. */
function common(id: number): string {
  return `02ff${(id * 2).toString(16)}00`;
}

/** Puts the logs of a raw message into a TMessage. */
function writeAgain(bytes: Buffer): Buffer {
  const tag = bytes.readUInt32BE(4);
  if ((tag & RawTag.probe) !== 0) return encodeEmptyMessage(tag, bytes.readUInt32BE(8));
  const form = new RpcForm({ shard: bytes.readUInt32BE(8), compressor: 'none' });
  const message = new OutMessage(new ByteWriter(16));
  form.begin(message.out);
  for (let at = 20; at < bytes.length; at += 4 + bytes.readUInt32BE(at)) {
    form.append(bytes, at + 4, at + 4 + bytes.readUInt32BE(at));
  }
  message.seal(form.finish());
  return message.bytesToSend();
}
