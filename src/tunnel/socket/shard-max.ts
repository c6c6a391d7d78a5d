/** MongoShake has at most 256 workers, or as many as its source has shards. What says more is no collector. */
export const SHARD_MAX = 4095;
