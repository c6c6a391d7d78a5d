/** Compressors of raw messages by their id on the wire; MongoShake's snappy leaves the bytes as they are. */
export const COMPRESSORS = ['none', 'gzip', 'snappy', 'zlib', 'deflate'] as const;

export type Compressor = (typeof COMPRESSORS)[number];
