import type { OptionKey } from './option-table.ts';

/** A key of MongoShake's 1.x and 2.0 to 2.2 releases. */
export interface OldKey<K extends string = OptionKey> {
  readonly today: K;
  /** The old key was the contrary of today's: `log_buffer = true` is `log.flush = false`. */
  readonly inverted?: true;
}

/**
 * The names that keys had in the releases before 2.4. They are those of whole configurations that users
 * posted in MongoShake's public issue threads: #59, #101 and #106 (2018, 1.x), #176, #177, #178 and #212 (2019, 2.0),
 * #258 and #265 (2019, 2.2), #299 and pull request #280 (2020, 2.2.1).
 */
export const oldKeys: Readonly<Record<string, OldKey>> = {
  'collector.id': { today: 'id' },
  'syncer.reader.buffer_time': { today: 'incr_sync.reader.buffer_time' },
  shard_key: { today: 'incr_sync.shard_key' },
  worker: { today: 'incr_sync.worker' },
  'worker.batch_queue_size': { today: 'incr_sync.worker.batch_queue_size' },
  'worker.oplog_compressor': { today: 'incr_sync.worker.oplog_compressor' },
  'adaptive.batching_max_size': { today: 'incr_sync.adaptive.batching_max_size' },
  'fetcher.buffer_capacity': { today: 'incr_sync.fetcher.buffer_capacity' },
  'oplog.gids': { today: 'incr_sync.oplog.gids' },
  log_level: { today: 'log.level' },
  log_file: { today: 'log.file' },
  log_buffer: { today: 'log.flush', inverted: true },
  'log.buffer': { today: 'log.flush', inverted: true },
  'context.storage': { today: 'checkpoint.storage' },
  'context.storage.url': { today: 'checkpoint.storage.url' },
  'context.storage.db': { today: 'checkpoint.storage.db' },
  'context.storage.collection': { today: 'checkpoint.storage.collection' },
  'context.address': { today: 'checkpoint.storage.collection' },
  'context.start_position': { today: 'checkpoint.start_position' },
  dbref: { today: 'incr_sync.dbref' },
  'replayer.dml_only': { today: 'filter.ddl_enable', inverted: true },
  'replayer.executor': { today: 'incr_sync.executor' },
  'replayer.executor.upsert': { today: 'incr_sync.executor.upsert' },
  'replayer.executor.insert_on_dup_update': { today: 'incr_sync.executor.insert_on_dup_update' },
  'replayer.collision_detection': { today: 'incr_sync.collision_detection' },
  'replayer.conflict_write_to': { today: 'incr_sync.conflict_write_to' },
  'replayer.durable': { today: 'incr_sync.executor.debug', inverted: true },
  'replayer.collection_parallel': { today: 'full_sync.reader.collection_parallel' },
  'replayer.document_parallel': { today: 'full_sync.reader.write_document_parallel' },
  'replayer.document_batch_size': { today: 'full_sync.reader.document_batch_size' },
  'replayer.collection_drop': { today: 'full_sync.collection_exist_drop' },
  'majority_write.full': { today: 'full_sync.executor.majority_enable' },
  'majority_write.incr': { today: 'incr_sync.executor.majority_enable' },
};

/** Values of today's keys that had another name in the old releases. */
export const oldValues: Readonly<Partial<Record<OptionKey, Readonly<Record<string, string>>>>> = {
  sync_mode: { document: 'full', oplog: 'incr' },
};

/** Keys that MongoShake has removed, and what to do instead: a line with one is a mistake, as it is in MongoShake. */
export const removedKeys: Readonly<Record<string, string>> = {
  'full_sync.reader.read_document_count': 'remove the line; full_sync.reader.parallel_thread took its place',
  collection_rename: 'remove the line',
};
