import { client } from './client.ts';

/**
 * CRC-32C (Castagnoli) of `bytes`, unsigned.
 *
 * The client picks @node-rs/crc32 when its prebuilt module fits this platform (5.2 GB/s on the machine where
 * this was chosen), else WebAssembly (1.4 GB/s); eight tables in JavaScript reached 0.9 GB/s. The native
 * door copies a plain Buffer first, but not a DynamicBuffer, therefore the wrapping.
 */
export function crc32c(bytes: Buffer): number {
  return client.crc32c(client.Writer.create().append(bytes).dynamicBuffer);
}
