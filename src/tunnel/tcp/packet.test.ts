import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeRawMessage } from '../../message/decode-raw-message.ts';
import { ByteWriter } from '../../shared/byte-writer.ts';
import { ByteQueue } from '../socket/byte-queue.ts';
import { OutMessage } from '../socket/out-message.ts';
import { getAckPacket, returnAckPacket, takePacketHeader } from './packet.ts';
import { TcpForm } from './tcp-form.ts';

interface Vectors {
  readonly tcp: {
    readonly reader: {
      readonly ack_query_hex: string;
      readonly steps: ReadonlyArray<{ readonly answer_hex: string; readonly sent_hex?: string }>;
    };
    readonly writer: { readonly transfer_socket_hex: string };
  };
}

const { tcp }: Vectors = JSON.parse(
  readFileSync(new URL('../../../test/vectors/sockets.json', import.meta.url), 'utf8'),
);

function queueOf(bytes: Buffer): ByteQueue {
  const queue = new ByteQueue();
  queue.push(bytes);
  return queue;
}

function fill(form: TcpForm, logs: readonly Buffer[]): OutMessage {
  const message = new OutMessage(new ByteWriter(16));
  form.begin(message.out);
  for (const log of logs) form.append(log, 0, log.length);
  message.seal(form.finish());
  return message;
}

describe('packets of the tcp tunnel', () => {
  const sent = Buffer.from(tcp.reader.steps[1].sent_hex ?? '', 'hex');
  const { logs } = decodeRawMessage(sent.subarray(12));

  it('ask for an ack as MongoShake does', () => {
    expect(getAckPacket().toString('hex')).toBe(tcp.reader.ack_query_hex);
  });

  it.each(tcp.reader.steps.map((step) => step.answer_hex))(
    'answer with an ack as MongoShake does: %s',
    (hex) => {
      const answer = Buffer.from(hex, 'hex');
      expect(takePacketHeader(queueOf(answer))).toEqual({ type: 3, length: 8 });
      expect(returnAckPacket(answer.readBigInt64BE(12)).toString('hex')).toBe(hex);
    },
  );

  it('carry a message as MongoShake does, and mark it when it is sent again', () => {
    const message = fill(new TcpForm({ shard: 0, compressor: 'none' }), logs);
    expect(message.bytesToSend().toString('hex')).toBe(sent.toString('hex'));
    expect(tcp.writer.transfer_socket_hex).toContain(sent.toString('hex'));
    const again = decodeRawMessage(message.bytesToSend().subarray(12));
    expect(again).toMatchObject({ tag: 0x101, logs });
  });

  it('begin anew after each message', () => {
    const form = new TcpForm({ shard: 3, compressor: 'gzip' });
    for (const count of [1, 2]) {
      const message = fill(
        form,
        Array.from({ length: count }, () => logs[0]),
      );
      const whole = decodeRawMessage(message.bytesToSend().subarray(12));
      expect(whole).toMatchObject({ shard: 3, compressor: 'gzip', tag: 0x100, declaredLogs: count });
    }
  });

  it.each(['cafe0104', 'cafe02', 'cafd01', '000000', 'ffffff'])(
    'are refused when they begin with %s',
    (start) => {
      expect(takePacketHeader(queueOf(Buffer.from(start.padEnd(24, '0'), 'hex')))).toBe('invalid');
    },
  );

  it('are waited for until their header is whole', () => {
    for (let end = 0; end < 12; end++) {
      expect(takePacketHeader(queueOf(getAckPacket().subarray(0, end)))).toBeUndefined();
    }
  });
});
