import { describe, expect, test } from 'vitest';
import { maskSecrets, maskUrl } from './mask-url.ts';

describe('maskUrl', () => {
  test.each([
    ['mongodb://user:secret@host', 'mongodb://user:***@host'],
    [
      'mongodb://user:secret@a:27017,b:27017/db?replicaSet=rs',
      'mongodb://user:***@a:27017,b:27017/db?replicaSet=rs',
    ],
    ['mongodb://user:se@cr@et@host/db', 'mongodb://user:***@host/db'],
    ['mongodb://user:se/cr@et:x@host/db', 'mongodb://user:***@host/db'],
    ['mongodb+srv://user:secret@host', 'mongodb+srv://user:***@host'],
    ['MongoDB://user:secret@host', 'MongoDB://user:***@host'],
    ['http://user:secret@host/ckpt', 'http://user:***@host/ckpt'],
    ['mongodb://user:@host', 'mongodb://user:***@host'],
  ])('hides the password of %s', (url, masked) => {
    expect(maskUrl(url)).toBe(masked);
  });

  test.each([
    'mongodb://host:27017/db',
    'mongodb://user@host:27017',
    'topic@broker1:9092,broker2:9092',
    'http://host:8080/find?mail=a@b',
    'no URL at all',
  ])('leaves %s as it is', (text) => {
    expect(maskUrl(text)).toBe(text);
  });

  test('finds every URL in the middle of a text', () => {
    const text = 'from "mongodb://a:x@h1" (mongodb://b:y@h2;mongodb://c:z@h3) failed';
    expect(maskUrl(text)).toBe('from "mongodb://a:***@h1" (mongodb://b:***@h2;mongodb://c:***@h3) failed');
  });
});

describe('maskSecrets', () => {
  test('hides logins and passwords that are written as key and value', () => {
    expect(maskSecrets('tunnel.kafka.sasl.auth = bob@top@secret x')).toBe(
      'tunnel.kafka.sasl.auth = bob@*** x',
    );
    expect(maskSecrets('{"password":"hunter2","user":"bob"}')).toBe('{"password":"***","user":"bob"}');
  });

  test('hides the secrets among the options of a URL', () => {
    const url =
      'mongodb://a:x@h/?authMechanismProperties=AWS_SESSION_TOKEN:t&tlsCertificateKeyFilePassword=p&w=1';
    expect(maskSecrets(url)).toBe(
      'mongodb://a:***@h/?authMechanismProperties=***&tlsCertificateKeyFilePassword=***&w=1',
    );
  });

  test('hides the secrets it is told', () => {
    expect(maskSecrets('login of bob with t0p failed', ['t0p', ''])).toBe('login of bob with *** failed');
  });
});
