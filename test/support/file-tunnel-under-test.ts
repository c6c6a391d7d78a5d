import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../src/shared/logger.ts';
import { FileTunnel } from '../../src/tunnel/file/file-tunnel.ts';
import type { OpenOutputFile, OutputFile } from '../../src/tunnel/file/numbered-file.ts';
import { splitDocuments } from './oplog-entry.ts';
import { readFileParts } from './read-file-parts.ts';
import { readRawFile } from './read-raw-file.ts';
import type { MakeTunnel } from './tunnel-conformance.ts';

/** Opens real files whose syncs and writes a test can hold up or break. */
export class SteeredDisk {
  gate: Promise<void> = Promise.resolve();
  /** Thrown instead of writing. */
  error: Error | undefined;

  readonly openFile: OpenOutputFile = async (path, flags) => {
    const file = await open(path, flags);
    const steered: OutputFile = {
      writev: async (buffers, position) => {
        if (this.error !== undefined) throw this.error;
        return file.writev(buffers, position);
      },
      datasync: async () => {
        await this.gate;
        await file.datasync();
      },
      truncate: (length) => file.truncate(length),
      stat: () => file.stat(),
      close: () => file.close(),
    };
    return steered;
  };

  stall(): Promise<() => Promise<void>> {
    const { promise, resolve } = withResolvers();
    this.gate = promise;
    return Promise.resolve(() => {
      resolve();
      return Promise.resolve();
    });
  }
}

/** A file tunnel in a folder of its own. */
export function makeFileTunnel(message: 'raw' | 'bson'): MakeTunnel {
  return async ({ lanes, budget }) => {
    const folder = await mkdtemp(join(tmpdir(), 'oplogue-file-'));
    const path = join(folder, 'oplog.data');
    const disk = new SteeredDisk();
    const tunnel = new FileTunnel({
      path,
      lanes,
      message,
      jsonFormat: '',
      compressor: 'none',
      maxFileBytes: 256 * 1024,
      budget,
      logger: silentLogger,
      openFile: disk.openFile,
    });
    return {
      tunnel,
      received: () =>
        Promise.resolve(
          readFileParts(path).flatMap((bytes) =>
            message === 'raw'
              ? readRawFile(bytes).blocks.flatMap((block) => block.logs)
              : splitDocuments(bytes).documents,
          ),
        ),
      stall: () => disk.stall(),
      breakForGood: () => {
        disk.error = new Error('a bug in the tunnel');
        return Promise.resolve();
      },
      [Symbol.asyncDispose]: async () => {
        await tunnel[Symbol.asyncDispose]();
        await rm(folder, { recursive: true, force: true });
      },
    };
  };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
