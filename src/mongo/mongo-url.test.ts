import { expect, test } from 'vitest';
import { directMongoUrl, normalizeMongoUrl } from './mongo-url.ts';

test.each([
  ['mongodb://h:1/?connect=direct', 'mongodb://h:1/?directConnection=true'],
  ['mongodb://h:1/admin?connect=replicaSet&w=1', 'mongodb://h:1/admin?w=1'],
  ['mongodb://h:1/?connect=automatic', 'mongodb://h:1/'],
  ['mongodb://u:p@h:1,i:2/db?replicaSet=rs0', 'mongodb://u:p@h:1,i:2/db?replicaSet=rs0'],
  ['mongodb://h', 'mongodb://h'],
])("%s of MongoShake's driver becomes %s", (url, ours) => {
  expect(normalizeMongoUrl(url)).toBe(ours);
});

test.each([
  ['mongodb://u:p%40@a:1,b:2/db?replicaSet=rs0&authSource=admin', 'mongodb://u:p%40@x:9/db?authSource=admin'],
  ['mongodb+srv://u:p@cluster.example/?readPreference=nearest', 'mongodb://u:p@x:9/'],
  ['mongodb://a:1', 'mongodb://x:9/'],
])('%s on one member is %s', (url, direct) => {
  expect(directMongoUrl(url, 'x:9')).toBe(direct);
});
