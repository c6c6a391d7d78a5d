import { prepareBacklog, type BacklogOptions } from './backlog.ts';

/** A workload with the keys of collector.conf that belong to it. */
export interface Scenario {
  readonly name: string;
  readonly text: string;
  readonly backlog: Partial<BacklogOptions>;
  readonly conf: readonly string[];
  /** Records per entry of the backlog: less than 1 where a filter drops some. */
  readonly recordsPerEntry: number;
}

const WHOLE: readonly string[] = ['filter.namespace.white = bench'];

/** What `--scenario` takes. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'mix',
    text: '80 % inserts of about 450 bytes, 15 % $set updates, 5 % deletes',
    backlog: {},
    conf: WHOLE,
    recordsPerEntry: 1,
  },
  {
    name: 'filtered',
    text: 'the same over ten collections, of which a filter passes one',
    backlog: { collections: 10 },
    conf: ['filter.namespace.white = bench.orders0'],
    recordsPerEntry: 0.1,
  },
  {
    name: 'by-id',
    text: 'the same, spread over the workers by _id',
    backlog: {},
    conf: [...WHOLE, 'incr_sync.shard_key = id'],
    recordsPerEntry: 1,
  },
  {
    name: 'transactions',
    text: 'inserts in transactions of 100; rates are of operations',
    backlog: { operationsPerTransaction: 100 },
    conf: WHOLE,
    recordsPerEntry: 1,
  },
  {
    name: 'collections',
    text: 'the mix over 1000 collections',
    backlog: { collections: 1000 },
    conf: WHOLE,
    recordsPerEntry: 1,
  },
];

/** @throws RangeError for a name that is not one of {@link scenarios} */
export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) {
    throw new RangeError(`--scenario takes one of ${scenarios.map((s) => s.name).join(', ')}, not ${name}`);
  }
  return found;
}

/** Fills the oplog for the scenario. @returns how many entries, or operations of transactions, it made */
export function prepareScenario(scenario: Scenario, options: BacklogOptions): Promise<number> {
  return prepareBacklog({ ...options, ...scenario.backlog });
}
