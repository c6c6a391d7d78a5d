import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SteeredDisk } from '../../../test/support/file-tunnel-under-test.ts';
import {
  headerOf,
  makeEntry,
  makeHeader,
  readEntry,
  splitDocuments,
} from '../../../test/support/oplog-entry.ts';
import { readFileParts } from '../../../test/support/read-file-parts.ts';
import { readRawFile } from '../../../test/support/read-raw-file.ts';
import vectors from '../../../test/vectors/file.json' with { type: 'json' };
import type { Logger } from '../../shared/logger.ts';
import { silentLogger } from '../../shared/logger.ts';
import { MemoryBudget } from '../../shared/memory-budget.ts';
import { FileTunnel, type FileTunnelOptions } from './file-tunnel.ts';
import type { OpenOutputFile } from './numbered-file.ts';

const never = new AbortController().signal;
const isRoot = process.getuid?.() === 0;

let folder = '';
let path = '';
const tunnels: FileTunnel[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oplogue-file-'));
  path = join(folder, 'oplog.data');
});

afterEach(async () => {
  for (const tunnel of tunnels.splice(0)) await tunnel[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function makeTunnel(options: Partial<FileTunnelOptions> = {}): FileTunnel {
  const tunnel = new FileTunnel({
    path,
    lanes: 2,
    message: 'raw',
    jsonFormat: '',
    compressor: 'none',
    maxFileBytes: 0,
    budget: new MemoryBudget(64 * 1024 * 1024),
    logger: silentLogger,
    ...options,
  });
  tunnels.push(tunnel);
  return tunnel;
}

async function writeNumbers(tunnel: FileTunnel, numbers: readonly number[]): Promise<void> {
  for (const number of numbers) {
    await tunnel.lane(0).append(makeHeader({ lane: 0, number }));
    tunnel.lane(0).flush(() => {});
  }
  await tunnel.drain(never);
}

async function writeLogs(
  tunnel: FileTunnel,
  message: { shard: number; input_logs_hex: readonly string[] },
): Promise<void> {
  await tunnel.open();
  const lane = tunnel.lane(message.shard);
  for (const log of message.input_logs_hex) await lane.append(headerOf(Buffer.from(log, 'hex')));
  lane.flush(() => {});
  await tunnel.drain(never);
}

function numbersOf(file: Buffer): number[] {
  const { blocks, torn } = readRawFile(file);
  expect(torn).toHaveLength(0);
  return blocks.flatMap((block) => block.logs.map((log) => readEntry(log).number));
}

async function run(options: Partial<FileTunnelOptions>, numbers: readonly number[]): Promise<void> {
  const tunnel = makeTunnel(options);
  await tunnel.open();
  await writeNumbers(tunnel, numbers);
  await tunnel[Symbol.asyncDispose]();
}

function recordingLogger(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const note =
    (level: string) =>
    (text: object | string): void => {
      lines.push(`${level} ${typeof text === 'string' ? text : JSON.stringify(text)}`);
    };
  const logger: Logger = {
    debug: () => {},
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
    child: () => logger,
  };
  return { logger, lines };
}

describe('what the file holds', () => {
  it('is for raw messages byte for byte what MongoShake writes', async () => {
    const [message] = vectors.messages;
    await writeLogs(makeTunnel(), message);
    const bytes = readFileSync(path).toString('hex');
    expect(bytes.startsWith(vectors.header_hex)).toBe(true);
    expect(bytes).toBe(vectors.file_hex.slice(0, bytes.length));
    expect(bytes.length).toBeGreaterThan(600);
  });

  it('reads like what MongoShake writes when logs are packed', async () => {
    const [, message] = vectors.messages;
    await writeLogs(makeTunnel({ compressor: 'gzip' }), message);
    const [ours] = readRawFile(readFileSync(path)).blocks;
    const theirs = readRawFile(Buffer.from(vectors.file_hex, 'hex')).blocks[1];
    expect(ours).toMatchObject({ tag: theirs.tag, shard: theirs.shard, compress: theirs.compress });
    expect(ours.logs.map((log) => gunzipSync(log))).toEqual(theirs.logs.map((log) => gunzipSync(log)));
  });

  it('is for bson one document after the other', async () => {
    await run({ message: 'bson' }, [1, 2, 3]);
    const bytes = readFileSync(path);
    expect(bytes.equals(Buffer.concat([1, 2, 3].map((number) => makeEntry({ lane: 0, number }))))).toBe(true);
  });

  it('is for json one record on each line', async () => {
    await run({ message: 'json', jsonFormat: 'plain' }, [1, 2]);
    const lines = readFileSync(path, 'utf8').split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([{ o: { n: 1 } }, { o: { n: 2 } }]);
  });

  it('holds only whole records when an entry cannot be encoded', async () => {
    const tunnel = makeTunnel({ message: 'json', jsonFormat: 'plain' });
    await tunnel.open();
    await tunnel.lane(0).append(makeHeader({ lane: 0, number: 1 }));
    const broken = makeHeader({ lane: 0, number: 2 });
    broken.bytes[broken.oAt + 4] = 0x55;
    expect(() => tunnel.lane(0).append(broken)).toThrow('unknown element type');
    await writeNumbers(tunnel, [3]);
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([{ o: { n: 1 } }, { o: { n: 3 } }]);
  });
});

describe('which file is written', () => {
  it('never touches what is there, and continues in the next number', async () => {
    await run({}, [1]);
    const first = readFileSync(path);
    await run({}, [2]);
    await run({}, [3]);
    expect(readFileSync(path).equals(first)).toBe(true);
    expect(numbersOf(readFileSync(`${path}.000001`))).toEqual([2]);
    expect(numbersOf(readFileSync(`${path}.000002`))).toEqual([3]);
  });

  it('continues after the highest number, also when lower ones have been moved away', async () => {
    writeFileSync(`${path}.000041`, 'of an earlier run');
    await run({}, [1]);
    expect(numbersOf(readFileSync(`${path}.000042`))).toEqual([1]);
    expect(existsSync(path)).toBe(false);
  });

  it.each(['', vectors.header_hex])('uses a file that holds no entry yet (%j)', async (hex) => {
    writeFileSync(path, Buffer.from(hex, 'hex'));
    await run({}, [1]);
    expect(numbersOf(readFileSync(path))).toEqual([1]);
    expect(existsSync(`${path}.000001`)).toBe(false);
  });

  it('leaves a file with a torn end as it is', async () => {
    await run({}, [1, 2]);
    truncateSync(path, readFileSync(path).length - 3);
    const torn = readFileSync(path);
    await run({}, [2, 3]);
    expect(readFileSync(path).equals(torn)).toBe(true);
    expect(numbersOf(readFileSync(`${path}.000001`))).toEqual([2, 3]);
  });

  it('is a new one when the next block would pass tunnel.file.max_size', async () => {
    const maxFileBytes = 1000;
    const numbers = Array.from({ length: 50 }, (_, i) => i);
    await run({ maxFileBytes }, numbers);
    const parts = readFileParts(path);
    expect(parts.length).toBeGreaterThan(5);
    for (const part of parts) expect(part.length).toBeLessThanOrEqual(maxFileBytes);
    expect(parts.flatMap(numbersOf)).toEqual(numbers);
  });

  it('takes a block that is larger than tunnel.file.max_size as the only one', async () => {
    await run({ maxFileBytes: 50 }, [1, 2, 3]);
    expect(readFileParts(path).map(numbersOf)).toEqual([[1], [2], [3]]);
  });

  it.each(['truncated', 'removed', 'appended to'])(
    'is a new one when another process has %s it',
    async (how) => {
      const { logger, lines } = recordingLogger();
      const tunnel = makeTunnel({ logger });
      await tunnel.open();
      await writeNumbers(tunnel, [1]);
      if (how === 'truncated') truncateSync(path, 10);
      if (how === 'removed') rmSync(path);
      if (how === 'appended to') writeFileSync(path, 'x', { flag: 'a' });
      await writeNumbers(tunnel, [2]);
      expect(numbersOf(readFileSync(`${path}.000001`))).toEqual([2]);
      expect(lines).toEqual([expect.stringContaining('by another process')]);
    },
  );
});

describe('a path that cannot be written', () => {
  it('is refused when it is a directory, with an example', async () => {
    mkdirSync(path);
    await expect(makeTunnel().open()).rejects.toMatchObject({
      code: 'FILE_TUNNEL',
      retry: 'fatal',
      message: expect.stringContaining('is a directory'),
      hint: expect.stringContaining(join(path, 'oplog.data')),
    });
  });

  it('is refused when it is not a regular file', async () => {
    await expect(makeTunnel({ path: '/dev/null' }).open()).rejects.toMatchObject({
      message: expect.stringContaining('not a regular file'),
    });
  });

  it('is refused when its folder is missing, naming the folder', async () => {
    await expect(makeTunnel({ path: join(folder, 'no', 'file') }).open()).rejects.toMatchObject({
      hint: expect.stringContaining(`create the folder ${join(folder, 'no')}`),
    });
  });

  it('is refused when rights are missing, naming the right', async () => {
    // Root may write everywhere: only the file system of the kernel refuses it.
    const target = isRoot ? '/proc/oplog.data' : join(folder, 'locked', 'oplog.data');
    if (!isRoot) mkdirSync(join(folder, 'locked'), { mode: 0o500 });
    await expect(makeTunnel({ path: target }).open()).rejects.toMatchObject({ code: 'FILE_TUNNEL' });

    const openFile: OpenOutputFile = () =>
      Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' }));
    await expect(makeTunnel({ openFile }).open()).rejects.toMatchObject({
      hint: expect.stringContaining('give the user that runs the collector the right to write'),
    });
  });
});

describe('a disk that does not take everything', () => {
  it('is waited for, the half-written group is cut off, and the state is said once (I3)', async () => {
    const { logger, lines } = recordingLogger();
    const disk = new FillingDisk(600);
    const tunnel = makeTunnel({ logger, openFile: disk.openFile });
    await tunnel.open();
    const receipts: number[] = [];
    for (let number = 0; number < 20; number++) {
      await tunnel.lane(0).append(makeHeader({ lane: 0, number }));
      tunnel.lane(0).flush(() => receipts.push(number));
    }
    await vi.waitFor(() => {
      expect(tunnel.trouble).toContain('the disk is full (ENOSPC)');
      expect(disk.refusals).toBeGreaterThan(2);
    });
    const durable = numbersOf(readRawFileBefore(readFileSync(path)));
    expect(receipts.length).toBeLessThan(20);
    expect(durable.slice(0, receipts.length)).toEqual(receipts);
    disk.roomBytes = Infinity;
    await tunnel.drain(never);
    expect(receipts).toHaveLength(20);
    expect(numbersOf(readFileSync(path))).toEqual(receipts);
    expect(tunnel.trouble).toBeUndefined();
    expect(lines).toEqual([
      expect.stringMatching(/^warn .*the disk is full .* free space/),
      expect.stringMatching(/^info .*takes entries again/),
    ]);
  });

  it('leaves no torn end behind when the tunnel is closed on a full disk', async () => {
    const disk = new FillingDisk(600);
    const tunnel = makeTunnel({ openFile: disk.openFile });
    await tunnel.open();
    for (let number = 0; number < 20; number++) {
      await tunnel.lane(0).append(makeHeader({ lane: 0, number }));
      tunnel.lane(0).flush(() => {});
    }
    await vi.waitFor(() => expect(tunnel.trouble).toBeDefined());
    await tunnel[Symbol.asyncDispose]();
    expect(readRawFile(readFileSync(path)).torn).toHaveLength(0);
  });

  it('gives no receipt when the sync fails, and writes again', async () => {
    const disk = new SteeredDisk();
    const tunnel = makeTunnel({ openFile: disk.openFile });
    await tunnel.open();
    await tunnel.drain(never);
    const failing = Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
    failing.catch(() => {});
    disk.gate = failing;
    let durable = false;
    await tunnel.lane(0).append(makeHeader({ lane: 0, number: 1 }));
    tunnel.lane(0).flush(() => {
      durable = true;
    });
    await vi.waitFor(() => expect(tunnel.trouble).toContain('EIO'));
    expect(durable).toBe(false);
    disk.gate = Promise.resolve();
    await tunnel.drain(never);
    expect(durable).toBe(true);
    expect(numbersOf(readFileSync(path))).toEqual([1]);
  });

  it('that limits the size of one file makes the next number begin', async () => {
    const disk = new FillingDisk(600, 'EFBIG');
    const tunnel = makeTunnel({ openFile: disk.openFile });
    await tunnel.open();
    await writeNumbers(tunnel, [1]);
    disk.roomBytes = 5;
    const written = writeNumbers(tunnel, [2]);
    await vi.waitFor(() => expect(disk.refusals).toBeGreaterThan(0));
    disk.roomBytes = Infinity;
    await written;
    expect(readFileParts(path).map(numbersOf)).toEqual([[1], [2]]);
  });

  it.runIf(canMount())('really full, gets room again and loses nothing (I3)', async () => {
    const small = join(folder, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', small]);
    try {
      writeFileSync(join(small, 'ballast'), Buffer.alloc(128 * 1024));
      const tunnel = makeTunnel({ path: join(small, 'oplog.data') });
      await tunnel.open();
      const receipts: number[] = [];
      for (let number = 0; number < 18; number++) {
        await tunnel.lane(0).append(makeHeader({ lane: 0, number, padBytes: 10_000 }));
        tunnel.lane(0).flush(() => receipts.push(number));
      }
      await vi.waitFor(() => expect(tunnel.trouble).toContain('ENOSPC'));
      rmSync(join(small, 'ballast'));
      await tunnel.drain(never);
      expect(numbersOf(readFileSync(join(small, 'oplog.data')))).toEqual(receipts);
      expect(receipts).toHaveLength(18);
      await tunnel[Symbol.asyncDispose]();
    } finally {
      execFileSync('umount', [small]);
    }
  });
});

it('shares one sync among all flushes that gather while it runs', async () => {
  let syncs = 0;
  const openFile: OpenOutputFile = async (name, flags) => {
    const file = await open(name, flags);
    return {
      writev: (buffers, position) => file.writev(buffers, position),
      datasync: () => {
        syncs++;
        return file.datasync();
      },
      truncate: (length) => file.truncate(length),
      stat: () => file.stat(),
      close: () => file.close(),
    };
  };
  const tunnel = makeTunnel({ openFile, message: 'bson' });
  await tunnel.open();
  for (let number = 0; number < 1000; number++) {
    await tunnel.lane(number % 2).append(makeHeader({ lane: number % 2, number }));
    tunnel.lane(number % 2).flush(() => {});
  }
  await tunnel.drain(never);
  expect(syncs).toBeLessThan(10);
  expect(splitDocuments(readFileSync(path)).documents).toHaveLength(1000);
});

/** A disk that takes `roomBytes` more, the last write only in part, and then refuses. */
class FillingDisk {
  roomBytes: number;
  refusals = 0;
  readonly #code: string;

  constructor(roomBytes: number, code = 'ENOSPC') {
    this.roomBytes = roomBytes;
    this.#code = code;
  }

  readonly openFile: OpenOutputFile = async (name, flags) => {
    const file = await open(name, flags);
    return {
      writev: async (buffers, position) => {
        const bytes = Buffer.concat(buffers).subarray(0, this.roomBytes);
        if (bytes.length === 0) {
          this.refusals++;
          throw Object.assign(new Error(this.#code), { code: this.#code });
        }
        const { bytesWritten } = await file.write(bytes, 0, bytes.length, position);
        this.roomBytes -= bytesWritten;
        return { bytesWritten };
      },
      datasync: () => file.datasync(),
      truncate: (length) => file.truncate(length),
      stat: () => file.stat(),
      close: () => file.close(),
    };
  };
}

/** The file up to its last whole block. */
function readRawFileBefore(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.length - readRawFile(bytes).torn.length);
}

function canMount(): boolean {
  const place = mkdtempSync(join(tmpdir(), 'oplogue-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place], { stdio: 'ignore' });
    execFileSync('umount', [place]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(place, { recursive: true });
  }
}
