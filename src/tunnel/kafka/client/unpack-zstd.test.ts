import { randomBytes } from 'node:crypto';
import { Zstd } from '@hpcc-js/wasm-zstd';
import { describe, expect, test } from 'vitest';
import { unpackZstd } from './unpack-zstd.ts';

const MAX = 64 * 1024 * 1024;

/** As a stream packs: the frame does not say how long it becomes. */
async function packStream(pieces: readonly Buffer[]): Promise<Buffer> {
  const zstd = await Zstd.load();
  zstd.reset();
  zstd.setCompressionLevel(3);
  return Buffer.concat([...pieces.map((piece) => zstd.compressChunk(piece)), zstd.compressEnd()]);
}

describe('zstd unpacks', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a few bytes', Buffer.from('oplog')],
    ['what cannot be packed', randomBytes(3_000_000)],
    ['what packs to a thousandth', Buffer.alloc(5_000_000, 'a')],
    ['text', Buffer.from('{"op":"i","ns":"a.b"}'.repeat(50_000))],
  ])('%s, packed at once and as a stream', async (_, bytes) => {
    const zstd = await Zstd.load();
    const middle = bytes.length >> 1;
    const streamed = await packStream([bytes.subarray(0, middle), bytes.subarray(middle)]);
    expect((await unpackZstd(streamed, MAX)).equals(bytes)).toBe(true);
    expect((await unpackZstd(Buffer.from(zstd.compress(bytes)), MAX)).equals(bytes)).toBe(true);
  });

  test('frames that follow each other, and skips what is no frame', async () => {
    const zstd = await Zstd.load();
    const skipped = Buffer.from('502a4d1803000000616263', 'hex');
    const packed = Buffer.concat([
      zstd.compress(Buffer.from('one ')),
      skipped,
      zstd.compress(Buffer.from('two')),
    ]);
    expect((await unpackZstd(packed, MAX)).toString()).toBe('one two');
  });
});

describe('zstd refuses', () => {
  test('what is no zstd', async () => {
    await expect(unpackZstd(Buffer.from('something else'), MAX)).rejects.toThrow('damaged');
  });

  test('what is cut off', async () => {
    const packed = await packStream([randomBytes(300_000)]);
    await expect(unpackZstd(packed.subarray(0, 200_000), MAX)).rejects.toThrow(/./);
  });

  test('what becomes longer than allowed', async () => {
    const packed = await packStream([Buffer.alloc(5_000_000, 'a')]);
    await expect(unpackZstd(packed, 1_000_000)).rejects.toThrow(/./);
  });
});
