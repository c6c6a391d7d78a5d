import { SeededRandom } from './seeded-random.ts';

/** Faults that any stage knows, and those that need one or three members of the source. */
const everywhere = [
  'collector-kill',
  'collector-freeze',
  'collector-stop',
  'collector-clock-jump',
  'collector-failpoint',
  'broker-kill',
  'broker-restart',
  'broker-freeze',
  'broker-disk-full',
  'kafka-cut',
  'kafka-half-open',
  'store-cut',
  'store-half-open',
  'store-kill',
  'mongod-kill',
  'mongod-freeze',
] as const;
const withOneMember = ['source-cut', 'source-half-open'] as const;
const withThreeMembers = ['step-down', 'rollback'] as const;

export type FaultKind =
  (typeof everywhere)[number] | (typeof withOneMember)[number] | (typeof withThreeMembers)[number];

export interface PlannedFault {
  readonly kind: FaultKind;
  /** How long things run well before it. */
  readonly afterMs: number;
  readonly durationMs: number;
  /** A collector is killed in the middle of it. */
  readonly killsCollector: boolean;
  /** For whatever else has to be chosen, from 0 to 1. */
  readonly choice: number;
}

export interface FaultPlanOptions {
  readonly seed: number;
  readonly members: number;
  /** Faults longer than every timeout of the collector, as in the long form. */
  readonly isLong: boolean;
}

/** Longer than the lease, and than a reply of MongoDB or Kafka may take. */
const LONG_FREEZE_MS = 40_000;
const SHORT_FREEZE_MS = 7_000;

export function faultKinds(members: number): readonly FaultKind[] {
  return [...everywhere, ...(members === 1 ? withOneMember : withThreeMembers)];
}

/** Faults without an end, the same for the same seed: every kind once in a random order, then every kind again in another. */
export function* faultPlan(options: FaultPlanOptions): Generator<PlannedFault> {
  const { seed, members, isLong } = options;
  const random = new SeededRandom(seed);
  for (;;) {
    for (const kind of random.shuffled(faultKinds(members))) {
      const freezeMs = isLong ? LONG_FREEZE_MS : SHORT_FREEZE_MS;
      const passingMs = isLong ? random.between(500, 20_000) : random.between(500, 4_000);
      yield {
        kind,
        afterMs: random.between(200, isLong ? 4_000 : 1_500),
        durationMs: kind === 'collector-freeze' ? freezeMs : passingMs,
        killsCollector: !kind.startsWith('collector') && random.next() < 1 / 3,
        choice: random.next(),
      };
    }
  }
}
