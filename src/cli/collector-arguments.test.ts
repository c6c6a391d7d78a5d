import { describe, expect, test } from 'vitest';
import { parseCollectorArguments } from './collector-arguments.ts';

const run = { kind: 'run', conf: 'c.conf', verbose: 0, set: [], check: false };

describe('the command line of the collector', () => {
  test.each([
    [['-conf=c.conf'], run],
    [['-conf', 'c.conf'], run],
    [['--conf', 'c.conf'], run],
    [['--conf=c.conf'], run],
    [['-conf=c.conf', '-verbose=2'], { ...run, verbose: 2 }],
    [['-conf=c.conf', '-verbose', '1'], { ...run, verbose: 1 }],
    [['-verbose', '0', '-conf=c.conf'], run],
    [['-conf=c.conf', '-verbose'], { ...run, verbose: 1 }],
    [['-conf=c.conf', '-verbose', '--check'], { ...run, verbose: 1, check: true }],
    [['-conf=c.conf', '--set', 'a=b=c', '-set=d=e'], { ...run, set: ['a=b=c', 'd=e'] }],
    [['--set', 'a=b'], { ...run, conf: undefined, set: ['a=b'] }],
  ])('%j is understood', (args, parsed) => {
    expect(parseCollectorArguments(args)).toEqual(parsed);
  });

  test.each([[['-version']], [['--version']], [['-version=true']], [['-conf=c', '-version']]])(
    '%j asks for the version',
    (args) => {
      expect(parseCollectorArguments(args)).toEqual({ kind: 'version' });
    },
  );

  test.each([[['-help']], [['--help']], [['-h']], [[]]])('%j asks for help, which teaches', (args) => {
    const parsed = parseCollectorArguments(args);
    expect(parsed).toMatchObject({ kind: 'help' });
    const text = 'text' in parsed ? parsed.text : '';
    for (const part of ['--conf <file>', 'Examples:', 'Exit codes:', '-conf=collector.conf', '251']) {
      expect(text).toContain(part);
    }
  });

  test.each([
    [['-conf'], "option '--conf <file>' argument missing"],
    [['-verbose=3'], 'It takes 0, 1 or 2'],
    [['-config=x'], 'unknown option'],
    [['--cheek'], 'Did you mean --check?'],
    [['c.conf'], 'too many arguments'],
  ])('%j is answered with what is wrong', (args, message) => {
    expect(parseCollectorArguments(args)).toMatchObject({ kind: 'wrong' });
    expect(JSON.stringify(parseCollectorArguments(args))).toContain(message);
  });
});
