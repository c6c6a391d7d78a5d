import { expect, test } from 'vitest';
import { reportLine, runFaults } from './suite/fault-run.ts';

const TIMEOUT_MS = 360_000;

test.each([
  { delivery: 'at_least_once', members: 1, collectors: 1, seed: 1 },
  { delivery: 'exactly_once', members: 3, collectors: 2, seed: 2 },
] as const)(
  'the short form of the fault suite: $delivery, $collectors collectors, source of $members (I1, I2, I3, I5, I6, I8)',
  { timeout: TIMEOUT_MS },
  async (options) => {
    const lines: string[] = [];
    const report = await runFaults({
      ...options,
      message: 'bson',
      minutes: 0.75,
      writesPerSecond: 800,
      isLong: false,
      only: undefined,
      freezeSeconds: 0,
      print: (line) => lines.push(line),
    });
    console.log([...lines, reportLine(report), ...report.examples].join('\n'));
    expect(report.violations).toEqual([]);
    expect(report.acknowledged).toBeGreaterThan(1000);
    expect(report.faults).toBeGreaterThan(1);
  },
);
