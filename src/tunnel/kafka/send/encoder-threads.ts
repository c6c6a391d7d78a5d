import { Worker } from 'node:worker_threads';
import { must } from '../../../shared/assert.ts';
import { OplogueError } from '../../../shared/errors.ts';
import { failpointCount } from '../../../shared/failpoint.ts';
import type { EncodedRecords, EncoderAnswer, EncoderJob, EncoderThreadData } from './encoder-job.ts';
import { memoryOf } from './encoder-job.ts';
import type { EntryBlock } from './entry-block.ts';

/** The compiled program beside this file. */
const PROGRAM = new URL('./encoder-thread.js', import.meta.url);

export interface EncoderThreadsOptions extends Omit<EncoderThreadData, 'failpoints'> {
  /** How many, at least 1. */
  readonly count: number;
  /** The compiled `encoder-thread`, for those who run from the sources. */
  readonly program?: URL | undefined;
  /** A thread has ended by itself, or an entry cannot be encoded. */
  readonly fail: (error: unknown) => void;
}

/** One thread, and who waits for its answers. */
interface EncoderThread {
  readonly worker: Worker;
  readonly waiting: Map<number, (encoded: EncodedRecords) => void>;
}

/**
 * Threads that make record batches of gathered entries. Buffers are handed over and come back, nothing is copied. Jobs of one
 * partition run side by side, whoever gave them keeps their order.
 */
export class EncoderThreads implements AsyncDisposable {
  readonly #options: EncoderThreadsOptions;
  readonly #threads: readonly EncoderThread[];
  #jobs = 0;
  #isClosed = false;

  constructor(options: EncoderThreadsOptions) {
    this.#options = options;
    this.#threads = Array.from({ length: options.count }, (_, index) => this.#start(index));
  }

  /**
   * Has a block encoded by the thread that has least to do. Neither the block nor `spare`, which the records are written into, may be
   * touched any more; their memory comes back with the answer.
   */
  encode(
    block: EntryBlock,
    options: { spare: Buffer; maxBytes: number },
    done: (encoded: EncodedRecords) => void,
  ): void {
    const { worker, waiting } = this.#threads.reduce((least, thread) =>
      thread.waiting.size < least.waiting.size ? thread : least,
    );
    const { maxBytes } = options;
    const id = this.#jobs++;
    const spare = memoryOf(options.spare);
    const bytes = memoryOf(block.chunk);
    waiting.set(id, done);
    const job: EncoderJob = { id, block: bytes, blockBytes: block.length, spare, maxBytes };
    worker.postMessage(job, [bytes, spare]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #start(index: number): EncoderThread {
    const { form, compression, program = PROGRAM } = this.#options;
    const workerData: EncoderThreadData = { form, compression, failpoints: failpointCount() };
    const worker = new Worker(program, { workerData, name: `oplogue-encoder-${index}` });
    const thread: EncoderThread = { worker, waiting: new Map() };
    worker.on('message', (answer: EncoderAnswer) => this.#answered(thread, answer));
    worker.on('error', (error) => this.#ended(error));
    worker.on('exit', () => this.#ended());
    return thread;
  }

  #answered({ waiting }: EncoderThread, answer: EncoderAnswer): void {
    if (this.#isClosed) return;
    if ('failure' in answer) {
      this.#options.fail(new OplogueError(answer.failure));
      return;
    }
    const done = must(waiting.get(answer.id), 'a thread has answered to what it was not asked');
    waiting.delete(answer.id);
    try {
      done(answer);
    } catch (error) {
      this.#options.fail(error);
    }
  }

  /** What it was encoding is gone with it: reading begins again before it. */
  #ended(cause?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.fail(
      new OplogueError({
        code: 'ENCODER_THREAD_ENDED',
        message: 'A thread that encodes messages has ended by itself',
        hint: 'reading begins again after the last checkpoint; if it happens again and again, set lanes.threads = 0 and report it',
        retry: 'restart',
        ...(cause === undefined ? {} : { cause }),
      }),
    );
  }
}
