import { RawMessageWriter } from '../../src/message/raw-message-writer.ts';
import type { Compressor } from '../../src/message/compressor.ts';
import { ByteWriter } from '../../src/shared/byte-writer.ts';

export interface RawMessageParts {
  readonly logs: readonly Buffer[];
  readonly tag?: number;
  readonly shard?: number;
  readonly compressor?: Compressor;
}

/** The bytes of one raw message. */
export function rawMessage({ logs, tag = 0, shard = 0, compressor = 'none' }: RawMessageParts): Buffer {
  const out = new ByteWriter();
  const writer = new RawMessageWriter({ compressor });
  writer.begin(out, { tag, shard });
  for (const log of logs) writer.append(log);
  writer.finish();
  return Buffer.from(out.view());
}
