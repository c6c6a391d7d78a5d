import { parseArgs } from 'node:util';
import { describeError } from '../../../src/shared/errors.ts';
import { faultKinds } from './fault-plan.ts';
import { reportLine, runFaults, type FaultRunOptions } from './fault-run.ts';

const usage = `npm run test:faults -- [options]

Collectors between real servers, a load that keeps a ledger, and faults from a seeded plan. Ends with 1 on any violation.

  --minutes N          for how long faults strike (default 30)
  --seed N             the plan (default: a random one, which is printed)
  --delivery D         at_least_once (default) or exactly_once
  --collectors N       more than 1: with master_quorum (default 1)
  --members N          1 (default): the source is reached through a network that breaks; 3: it has elections and rollbacks
  --message M          bson (default) or raw
  --rate N             writes per second (default 1500)
  --freeze-seconds N   at the end: the broker frozen for so long under more load, and memory looked at (default 0)
  --only KINDS         only these faults, with commas between
  --short              short faults, as in npm test
  --help               this text

Faults: ${[...new Set([...faultKinds(1), ...faultKinds(3)])].join(', ')}
`;

function optionsFrom(args: readonly string[]): FaultRunOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '30' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      delivery: { type: 'string', default: 'at_least_once' },
      collectors: { type: 'string', default: '1' },
      members: { type: 'string', default: '1' },
      message: { type: 'string', default: 'bson' },
      rate: { type: 'string', default: '1500' },
      'freeze-seconds': { type: 'string', default: '0' },
      only: { type: 'string' },
      short: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const members = values.members === '3' ? 3 : 1;
  return {
    minutes: Number(values.minutes),
    seed: Number(values.seed),
    delivery: values.delivery === 'exactly_once' ? 'exactly_once' : 'at_least_once',
    collectors: Number(values.collectors),
    members,
    message: values.message === 'raw' ? 'raw' : 'bson',
    writesPerSecond: Number(values.rate),
    freezeSeconds: Number(values['freeze-seconds']),
    only:
      values.only === undefined
        ? undefined
        : faultKinds(members).filter((kind) => values.only?.split(',').includes(kind)),
    isLong: !values.short,
    print: (line) => console.log(line),
  };
}

async function main(): Promise<number> {
  const options = optionsFrom(process.argv.slice(2));
  if (options === undefined) {
    console.log(usage);
    return 0;
  }
  const { seed, delivery, collectors, members } = options;
  console.log(`Seed ${seed}: ${delivery}, ${collectors} collector(s), ${members} member(s) of the source`);
  const report = await runFaults(options);
  console.log(reportLine(report));
  for (const text of [...report.violations, ...report.examples]) console.log(`  ${text}`);
  return report.violations.length === 0 ? 0 : 1;
}

let code = 1;
try {
  code = await main();
} catch (error) {
  console.error(describeError(error));
}
// Not left to Node.js 20: after sockets that were cut in every way it may turn in its own clean-up of handles for ever.
process.exit(code);
