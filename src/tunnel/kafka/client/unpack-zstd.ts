import zlib from 'node:zlib';
import type { Zstd } from '@hpcc-js/wasm-zstd';

// RFC 8878, sections 3.1.1 and 3.1.2.
const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const MAGIC_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const BLOCK_BYTES_MAX = 128 * 1024;
const CHECKSUM_BYTES = 4;
const DICTIONARY_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

const BlockType = { raw: 0, repeated: 1, compressed: 2 } as const;

/** A frame, and the most that it can become. */
interface Frame {
  readonly end: number;
  readonly unpackedMax: number;
}

/**
 * Unpacks zstd, which Node has only from 22.15 on; WebAssembly before.
 * @throws Error when the bytes are damaged, or become longer than `bytesMax`
 */
export async function unpackZstd(packed: Buffer, bytesMax: number): Promise<Buffer> {
  const zstdDecompressSync: ZstdDecompressSync | undefined = Reflect.get(zlib, 'zstdDecompressSync');
  if (zstdDecompressSync !== undefined) return zstdDecompressSync(packed, { maxOutputLength: bytesMax });
  const zstd = await loadWasm();
  const parts: Uint8Array[] = [];
  for (let at = 0; at < packed.length;) {
    const { end, unpackedMax } = measureFrame(packed, at);
    if (unpackedMax > bytesMax) throw new Error(`zstd data may become ${unpackedMax} bytes`);
    if (unpackedMax > 0) {
      zstd.reset();
      parts.push(zstd.decompressChunk(packed.subarray(at, end), unpackedMax));
    }
    at = end;
  }
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? bufferOf(first) : Buffer.concat(parts);
}

interface WasmHeap {
  readonly heapView?: (part: unknown) => Uint8Array;
  heapToUint8Array?: (part: unknown) => Uint8Array;
}

/**
 * The library copies its results byte by byte through an array, at 14 MB/s (1.12.5, `heapToUint8Array`); where its inside is as we know it, they
 * are copied at once.
 */
async function loadWasm(): Promise<Zstd> {
  const library = await import('@hpcc-js/wasm-zstd');
  const zstd = await library.Zstd.load();
  const heap: WasmHeap | undefined = Reflect.get(zstd, '_mainModule');
  if (heap?.heapView !== undefined && heap.heapToUint8Array !== undefined) {
    heap.heapToUint8Array = (part) => new Uint8Array(heap.heapView?.(part) ?? []);
  }
  return zstd;
}

/**
 * Java producers do not say how long a frame becomes, and WebAssembly must know beforehand: its blocks say it, as in
 * ZSTD_decompressBound.
 */
function measureFrame(packed: Buffer, start: number): Frame {
  const magic = packed.readUInt32LE(start);
  if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
    return { end: start + 8 + packed.readUInt32LE(start + MAGIC_BYTES), unpackedMax: 0 };
  }
  if (magic !== MAGIC) throw new Error('zstd data is damaged');
  const descriptor = packed.readUInt8(start + MAGIC_BYTES);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_BYTES[sizeFlag];
  let at = start + MAGIC_BYTES + 1 + (isSingleSegment ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3] + sizeBytes;
  let unpackedMax = 0;
  for (let isLast = false; !isLast;) {
    const header = packed.readUIntLE(at, BLOCK_HEADER_BYTES);
    isLast = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    unpackedMax += type === BlockType.compressed ? BLOCK_BYTES_MAX : size;
    at += BLOCK_HEADER_BYTES + (type === BlockType.repeated ? 1 : size);
  }
  return { end: at + ((descriptor & 4) === 0 ? 0 : CHECKSUM_BYTES), unpackedMax };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** zlib.zstdDecompressSync, which this project's types, of Node 20, do not have. */
type ZstdDecompressSync = (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;
