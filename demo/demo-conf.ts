import type { DemoOptions } from './demo-options.ts';
import type { DemoServers } from './demo-servers.ts';

/** The collector.conf of the demo: MongoShake's keys. */
export function demoConf(options: DemoOptions, servers: DemoServers): Record<string, string | number> {
  const { mongo, kafka } = servers;
  return {
    id: 'oplogue-demo',
    mongo_urls: mongo.url,
    sync_mode: 'incr',
    'incr_sync.mongo_fetch_method': 'oplog',
    'incr_sync.worker': options.workers,
    'filter.namespace.white': servers.database,
    tunnel: kafka === undefined ? 'file' : 'kafka',
    'tunnel.address': kafka === undefined ? servers.file : `${servers.topic}@${kafka.brokers}`,
    'tunnel.message': options.message,
    ...(options.message === 'json' ? { 'tunnel.json.format': options.format } : {}),
    'checkpoint.storage': 'database',
    'checkpoint.storage.url': mongo.url,
    'checkpoint.storage.db': servers.checkpointDatabase,
    // A deployment of the user's own may have a long past that the demo does not need.
    ...(mongo.members.length > 0 ? {} : { 'checkpoint.start_position': nowUtc() }),
  };
}

function nowUtc(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}
