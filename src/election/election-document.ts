import { createHash } from 'node:crypto';

/** Where MongoShake holds its elections, whatever `checkpoint.storage.db` says. */
export const ELECTION_DATABASE = 'mongoshake';
export const ELECTION_COLLECTION = 'election';

/** The id that MongoShake gives a collector that is given none, and the one `_id` that all its elections share. */
const DEFAULT_JOB_ID = 'mongoshake';
const DEFAULT_DOCUMENT_ID = '5204af979955496907000001';
const OBJECT_ID_HEX_DIGITS = 24;

/** What the document of a job says. The first three fields are MongoShake's. */
export interface ElectionFields {
  readonly pid: number;
  readonly host: string;
  /** Unix seconds by the master's clock, for people and MongoShake's monitors; never compared with our clock. */
  readonly heartbeat: bigint;
  /** Ours: grows by one with every takeover. Undefined: written by MongoShake. */
  readonly term: bigint | undefined;
  /** Ours: one run of one collector. */
  readonly owner: string | undefined;
  /** Ours: counts renewals, so that a follower sees life without looking at a clock. */
  readonly beat: bigint | undefined;
  /** Ours: the master is about to end in order; followers look more often until it has. */
  readonly ending: boolean;
  /** Ours: the master has ended in order; whoever sees it may take over at once. */
  readonly released: boolean;
  /** Ours: since when it is the master, milliseconds since 1970. */
  readonly sinceMs: number;
}

/** The `_id` of a job's document in hex: MongoShake's for its default id, one of its own for any other. */
export function electionIdOf(jobId: string): string {
  if (jobId === DEFAULT_JOB_ID) return DEFAULT_DOCUMENT_ID;
  return createHash('sha256')
    .update(`oplogue-election:${jobId}`)
    .digest('hex')
    .slice(0, OBJECT_ID_HEX_DIGITS);
}

/** Reads a stored document leniently: MongoShake's has no fields of ours. */
export function electionFieldsOf(document: Readonly<Record<string, unknown>>): ElectionFields {
  return {
    pid: Number(document['pid'] ?? 0),
    host: typeof document['host'] === 'string' ? document['host'] : '',
    heartbeat: bigintOf(document['heartbeat']) ?? 0n,
    term: bigintOf(document['term']),
    owner: typeof document['owner'] === 'string' ? document['owner'] : undefined,
    beat: bigintOf(document['beat']),
    ending: document['ending'] === true,
    released: document['released'] === true,
    sinceMs: document['since'] instanceof Date ? document['since'].getTime() : 0,
  };
}

function bigintOf(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : undefined;
}
