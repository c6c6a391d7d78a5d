import { expect, test } from 'vitest';
import { hedged } from './hedged.ts';

const silence = new Promise<string>(() => undefined);

test('a question that is answered in time is asked once', async () => {
  let asked = 0;
  expect(await hedged(() => Promise.resolve(++asked), 10_000)).toBe(1);
  expect(asked).toBe(1);
});

test('a question that is not answered is asked once more, and the first answer counts', async () => {
  const answers = [silence, Promise.resolve('the second')];
  expect(await hedged(() => answers.shift() ?? silence, 1)).toBe('the second');
});

test('a failure is not asked about again, and the first of two failures is told', async () => {
  let asked = 0;
  const failing = (): Promise<never> => {
    asked++;
    return Promise.reject(new Error(`failure ${asked}`));
  };
  await expect(hedged(failing, 10_000)).rejects.toThrow('failure 1');
  expect(asked).toBe(1);
  let fail = (): void => undefined;
  const late = new Promise<never>((_, reject) => {
    fail = () => reject(new Error('the first'));
  });
  const questions = [() => late, () => Promise.reject(new Error('the second'))];
  const asking = hedged(() => questions.shift()?.() ?? late, 1);
  setTimeout(fail, 50);
  await expect(asking).rejects.toThrow('the first');
});
