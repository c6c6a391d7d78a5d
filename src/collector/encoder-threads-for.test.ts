import { expect, test } from 'vitest';
import { loadConfig } from '../config/load-config.ts';
import { encoderThreadsFor } from './encoder-threads-for.ts';

function threads(set: readonly string[], cores: number): number {
  const least = ['mongo_urls=mongodb://a/?replicaSet=rs0', 'tunnel=kafka', 'tunnel.address=t@b:9092'];
  return encoderThreadsFor(loadConfig({ set: [...least, ...set], env: {} }).config, cores);
}

test.each([
  [['tunnel.message=json'], 2, 0],
  [['tunnel.message=json'], 4, 2],
  [['tunnel.message=json'], 64, 3],
  [['tunnel.message=bson'], 64, 0],
  [['tunnel.message=bson', 'tunnel.kafka.compression=gzip'], 8, 3],
  [['tunnel.message=json', 'lanes.threads=0'], 64, 0],
  [['tunnel.message=bson', 'lanes.threads=5'], 2, 5],
])('%j on %d cores: %d threads', (lines, cores, expected) => {
  expect(threads(lines, cores)).toBe(expected);
});
