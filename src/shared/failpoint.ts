import { OplogueError } from './errors.ts';

/** Every place where a crash could hurt, in the order in which an entry passes them. */
export const FAILPOINTS = [
  /** A reply of the source has been read, and none of its entries has been given to a lane. */
  'after-read-before-send',
  /** Some operations of a transaction of MongoDB have been given to their lanes, and others have not. */
  'inside-transaction',
  /** A thread is about to encode the entries of a batch (`lanes.threads`). */
  'in-encoder-thread',
  /** A produce request is on its way to the broker. */
  'after-send-before-ack',
  /** All that a reply held is durable, and no checkpoint says so. */
  'after-ack-before-checkpoint',
  'before-checkpoint',
  'after-checkpoint',
  /** exactly_once: all batches of a Kafka transaction are acknowledged. */
  'before-commit',
  /** exactly_once: the broker has committed, and the collector has not made use of it. */
  'after-commit-before-receipt',
  /** exactly_once: the former owner is fenced at the broker, and how far it came has not been read. */
  'in-kafka-takeover',
  /** master_quorum: the term is won, and the checkpoint has not been claimed. */
  'in-election-takeover',
] as const;

export type FailpointName = (typeof FAILPOINTS)[number];

type FailpointAction = 'kill' | 'stop' | 'error' | { readonly delayMs: number };

/** What `OPLOGUE_FAILPOINT` asks for. */
export interface Failpoint {
  readonly name: FailpointName;
  readonly action: FailpointAction;
  /** It strikes the n-th time that it is passed, from 1, and never again. */
  readonly passing: number;
}

const ENVIRONMENT_VARIABLE = 'OPLOGUE_FAILPOINT';
const PATTERN = /^([a-z-]+):(?:(kill|stop|error)|delay=(\d{1,6}))(?:@([1-9]\d{0,8}))?$/;

/** Thrown at a failpoint with the action `error`; where nothing catches it, the process crashes. */
export class FailpointError extends OplogueError {
  constructor(name: FailpointName) {
    super({
      code: 'FAILPOINT',
      message: `Failpoint ${name} has struck`,
      hint: `unset ${ENVIRONMENT_VARIABLE}`,
    });
  }
}

/** `OPLOGUE_FAILPOINT` names no failpoint or no action that there is. */
export class FailpointInvalidError extends OplogueError {
  constructor(text: string) {
    super({
      code: 'FAILPOINT_INVALID',
      message: `${ENVIRONMENT_VARIABLE} is "${text}"`,
      hint: `unset it, or give name:action or name:action@n; names are ${FAILPOINTS.join(', ')}; actions are kill, stop, delay=ms and error`,
    });
  }
}

/**
 * Reads `name:action` or `name:action@n`; actions are `kill`, `stop` (SIGSTOP), `delay=ms` and `error`.
 * @throws FailpointInvalidError
 */
export function parseFailpoint(text: string): Failpoint {
  const match = PATTERN.exec(text);
  const name = FAILPOINTS.find((known) => known === match?.[1]);
  if (match === null || name === undefined) {
    throw new FailpointInvalidError(text);
  }
  const given = match[2];
  const action =
    given === 'kill' || given === 'stop' || given === 'error' ? given : { delayMs: Number(match[3]) };
  return { name, action, passing: Number(match[4] ?? 1) };
}

let invalid: unknown;
const armed = armedByEnvironment();
/** Counted over all threads of the process. */
let passings = new Int32Array(new SharedArrayBuffer(4));

function armedByEnvironment(): Failpoint | undefined {
  const text = process.env[ENVIRONMENT_VARIABLE];
  if (text === undefined || text === '') return undefined;
  try {
    return parseFailpoint(text);
  } catch (error) {
    invalid = error;
    return undefined;
  }
}

/** Call it once at the start. @throws FailpointInvalidError when `OPLOGUE_FAILPOINT` is set and makes no sense. */
export function checkFailpoint(): Failpoint | undefined {
  if (invalid !== undefined) throw invalid;
  return armed;
}

/** What a thread has to be given, for {@link countFailpointsWith}. */
export function failpointCount(): SharedArrayBuffer {
  return passings.buffer;
}

/** Lets a thread count together with the one that started it. */
export function countFailpointsWith(count: SharedArrayBuffer): void {
  passings = new Int32Array(count);
}

/**
 * A place where tests let the process die, stand still or fail (`OPLOGUE_FAILPOINT`). Otherwise it costs the test of a constant;
 * it is not for what is done for every entry.
 */
export function failpoint(name: FailpointName): void {
  if (armed === undefined) return;
  if (armed.name === name && Atomics.add(passings, 0, 1) + 1 === armed.passing) strike(armed);
}

function strike({ name, action }: Failpoint): void {
  if (action === 'error') throw new FailpointError(name);
  if (action === 'kill') process.kill(process.pid, 'SIGKILL');
  else if (action === 'stop') process.kill(process.pid, 'SIGSTOP');
  // The whole thread stands still, as in a long pause of the machine.
  else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action.delayMs);
}
