import { expect, test } from 'vitest';
import { nearestKey } from './nearest-key.ts';
import { optionKeys } from './option-table.ts';

test.each([
  ['tunnel.adress', 'tunnel.address'],
  ['mongo_url', 'mongo_urls'],
  ['incr_sync.wroker', 'incr_sync.worker'],
  ['Log.Level', 'log.level'],
  ['kafka.compression', 'tunnel.kafka.compression'],
])('%s is near %s', (word, key) => {
  expect(nearestKey(word, optionKeys)).toBe(key);
});

test.each(['qwertyuiop', 'x'])('%s is near nothing', (word) => {
  expect(nearestKey(word, optionKeys)).toBeUndefined();
});
