import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { MemoryLogger } from '../../../test/support/memory-logger.ts';
import { MessageRecorder } from '../../../test/support/message-recorder.ts';
import vectors from '../../../test/vectors/file.json' with { type: 'json' };
import { decodeMessage } from '../../message/decode-message.ts';
import { FileReceiver } from './file-receiver.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oplogue-file-receiver-'));
  path = join(folder, 'oplog.data');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function follow(recorder = new MessageRecorder()): Promise<{
  receiver: FileReceiver;
  recorder: MessageRecorder;
  logger: MemoryLogger;
}> {
  const logger = new MemoryLogger();
  const receiver = new FileReceiver({ path, positionPath: `${path}.position`, message: 'auto', logger });
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  await receiver.open(recorder, new AbortController().signal);
  return { receiver, recorder, logger };
}

async function came(recorder: MessageRecorder, ...texts: string[]): Promise<void> {
  await vi.waitFor(() => expect(recorder.texts).toEqual(texts), { timeout: 5000 });
}

function line(n: number): string {
  return `{"n":${n}}`;
}

describe('a file is followed', () => {
  test('from before it exists, line by line, half a line waiting for its end', async () => {
    const { recorder, receiver } = await follow();
    await vi.waitFor(() => expect(receiver.trouble).toContain('there is no'));
    writeFileSync(path, `${line(1)}\n{"n"`);
    await came(recorder, line(1));
    expect(receiver.trouble).toBeUndefined();
    appendFileSync(path, `:2}\n`);
    await came(recorder, line(1), line(2));
  });

  test("as MongoShake writes it, block by block, with what each block's header says", async () => {
    writeFileSync(path, Buffer.from(vectors.file_hex, 'hex'));
    const { recorder } = await follow();
    await vi.waitFor(() => expect(recorder.messages).toHaveLength(vectors.messages.length));
    for (const [i, { shard, input_logs_hex }] of vectors.messages.entries()) {
      const message = recorder.messages[i];
      expect(message).toMatchObject({ form: 'raw', shard });
      const { entries } = decodeMessage(message.bytes, 'raw');
      expect(entries.map(({ bytes }) => bytes.toString('hex'))).toEqual(input_logs_hex);
    }
  });

  test('into its numbered parts; a torn end is passed over, and said', async () => {
    writeFileSync(path, `${line(1)}\n{"torn`);
    const { recorder, receiver, logger } = await follow();
    await came(recorder, line(1));
    writeFileSync(`${path}.000001`, `${line(2)}\n`);
    await came(recorder, line(1), line(2));
    expect(logger.text).toMatch(/ends with 6 bytes at 8 that are no whole message/);
    expect(receiver.traffic.refused).toBe(1);
  });

  test('from its beginning when it has been emptied, as MongoShake does at each start', async () => {
    writeFileSync(path, `${line(1)}\n${line(2)}\n`);
    const { recorder, logger } = await follow();
    await came(recorder, line(1), line(2));
    truncateSync(path, 0);
    await vi.waitFor(() => expect(logger.text).toContain('has become shorter'));
    appendFileSync(path, `${line(3)}\n`);
    await came(recorder, line(1), line(2), line(3));
  });
});

describe('a new start', () => {
  test('goes on behind what was done, and not behind what was only handed over (I3)', async () => {
    writeFileSync(path, `${line(1)}\n${line(2)}\n${line(3)}\n`);
    const first = new MessageRecorder();
    first.doneAtOnce = false;
    const { receiver } = await follow(first);
    await came(first, line(1), line(2), line(3));
    // The third is done, the second is not.
    first.messages[0].onDone?.();
    first.messages[2].onDone?.();
    await receiver[Symbol.asyncDispose]();
    const { recorder } = await follow();
    await came(recorder, line(2), line(3));
  });

  test('begins at the beginning of a file that is not the one that was read', async () => {
    writeFileSync(path, `${line(1)}\n`);
    const { receiver, recorder } = await follow();
    await came(recorder, line(1));
    await receiver[Symbol.asyncDispose]();
    writeFileSync(path, `${line(7)}\n${line(8)}\n`);
    const again = await follow();
    await came(again.recorder, line(7), line(8));
    expect(again.logger.text).toContain('is not the file that was read');
  });

  test('refuses a position that cannot be read, and does not overwrite it', async () => {
    writeFileSync(`${path}.position`, 'nonsense');
    await expect(follow()).rejects.toMatchObject({ code: 'FILE_TUNNEL' });
    expect(readFileSync(`${path}.position`, 'utf8')).toBe('nonsense');
  });
});

test('a damaged file ends the reading with its place', async () => {
  const bytes = Buffer.from(vectors.file_hex, 'hex');
  bytes.writeUInt32BE(0, 32 + 16);
  writeFileSync(path, bytes);
  const { receiver } = await follow();
  await vi.waitFor(() => expect(receiver.failed.aborted).toBe(true));
  expect(receiver.failed.reason).toMatchObject({ code: 'FILE_TUNNEL' });
  expect(receiver.trouble).toContain('cannot be read at byte 0');
});
