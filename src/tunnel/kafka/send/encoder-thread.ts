/** The program of a thread that makes record batches; {@link EncoderThreads} starts it. */
import { parentPort, workerData } from 'node:worker_threads';
import { must } from '../../../shared/assert.ts';
import { ByteWriter } from '../../../shared/byte-writer.ts';
import { describeError, OplogueError } from '../../../shared/errors.ts';
import { countFailpointsWith, failpoint } from '../../../shared/failpoint.ts';
import { BlockEncoder } from './block-encoder.ts';
import { loadCompressor } from '../client/compression.ts';
import { crc32c } from '../client/crc32c.ts';
import { memoryOf, type EncoderAnswer, type EncoderJob, type EncoderThreadData } from './encoder-job.ts';
import { BATCH_HEADER_BYTES, RecordBatchBuilder } from './record-batch-builder.ts';

const port = must(parentPort, 'this program runs in a thread only');
const { form, compression, failpoints }: EncoderThreadData = workerData;
countFailpointsWith(failpoints);
const encoder = new BlockEncoder(form);
const compressor = await loadCompressor(compression);

port.on('message', (job: EncoderJob) => {
  failpoint('in-encoder-thread');
  answerTo(job).then(
    (answer) => port.postMessage(answer, transfersOf(answer)),
    (error: unknown) => {
      const code = error instanceof OplogueError ? error.code : 'ASSERTION';
      port.postMessage({ id: job.id, failure: { code, message: describeError(error) } });
    },
  );
});

async function answerTo({ id, block, blockBytes, spare, maxBytes }: EncoderJob): Promise<EncoderAnswer> {
  const out = new ByteWriter(0);
  out.bytes = Buffer.from(spare);
  const builder = new RecordBatchBuilder(out, form.withHeaders);
  encoder.encode(Buffer.from(block, 0, blockBytes), builder);
  const { records, length: bytes, count, baseTimestampMs: timestampMs } = builder;
  const packed = bytes <= maxBytes ? await pack(records) : undefined;
  return {
    id,
    block,
    records: memoryOf(out.bytes),
    bytes,
    count,
    timestampMs,
    packed: packed && memoryOf(packed),
    checksum: crc32c(packed === undefined ? records : packed.subarray(BATCH_HEADER_BYTES)),
  };
}

/** @returns undefined when packing makes nothing smaller */
async function pack(records: Buffer): Promise<Buffer | undefined> {
  const packed = await compressor?.compress(records);
  if (packed === undefined || packed.length >= records.length) return undefined;
  const batch = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES + packed.length);
  batch.set(packed, BATCH_HEADER_BYTES);
  return batch;
}

function transfersOf(answer: EncoderAnswer): ArrayBuffer[] {
  if ('failure' in answer) return [];
  const { block, records, packed } = answer;
  return packed === undefined ? [block, records] : [block, records, packed];
}
