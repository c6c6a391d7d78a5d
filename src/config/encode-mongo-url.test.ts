import { expect, test } from 'vitest';
import { encodeMongoUrl } from './encode-mongo-url.ts';

test.each([
  'mongodb://host:27017,other:27018/admin?replicaSet=rs',
  'mongodb://host',
  'mongodb://user:p%40ss@host/admin',
  'mongodb+srv://user:pass@cluster.example.net/?appName=a@b',
  'mongodb://host/db?appName=a@b',
  'http://not.mongo/p@th',
])('%s is fine as it is', (url) => {
  expect(encodeMongoUrl(url)).toBe(url);
});

test.each([
  ['mongodb://user:p@ss@host', 'mongodb://user:p%40ss@host'],
  ['mongodb://user:p/w@host:1,b:2/admin', 'mongodb://user:p%2Fw@host:1,b:2/admin'],
  ['mongodb://user:p@ss/word@host/admin?a=b@c', 'mongodb://user:p%40ss%2Fword@host/admin?a=b@c'],
  ['mongodb://user:wh?t@host', 'mongodb://user:wh%3Ft@host'],
  ['mongodb://me@corp:p%40s:s@host', 'mongodb://me%40corp:p%40s%3As@host'],
  ['mongodb://user:100%@x@host', 'mongodb://user:100%25%40x@host'],
])('%s becomes %s', (url, encoded) => {
  expect(encodeMongoUrl(url)).toBe(encoded);
});
