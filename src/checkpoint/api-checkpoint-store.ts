import { describeError } from '../shared/errors.ts';
import { parseExactJson, stringifyExactJson } from '../shared/exact-json.ts';
import { maskUrl } from '../shared/mask-url.ts';
import { checkpointFields, checkpointOf } from './checkpoint-document.ts';
import { CheckpointError } from './checkpoint-error.ts';
import type { Checkpoint, CheckpointStore } from './checkpoint-store.ts';

export interface ApiCheckpointStoreOptions {
  /** The address that `checkpoint.storage.collection` holds in this mode. A user and a password in it are sent as basic authentication. */
  readonly url: string;
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Keeps checkpoints behind an HTTP address, as MongoShake's `checkpoint.storage = api`: GET answers the six fields as
 * JSON, POST stores them. The name also goes along as `?name=`, so that one service can serve several replica sets.
 */
export class ApiCheckpointStore implements CheckpointStore {
  readonly #url: URL;
  readonly #authorization: string | undefined;
  readonly #timeoutMs: number;

  /** @throws CheckpointError when the address is no http or https URL. */
  constructor(options: ApiCheckpointStoreOptions) {
    const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      throw new CheckpointError({
        code: 'CHECKPOINT_URL',
        message: `${maskUrl(options.url)} is not an http or https URL`,
        hint: 'with checkpoint.storage = api, checkpoint.storage.collection holds the address of the service',
      });
    }
    this.#authorization = basicAuthorization(url);
    url.username = url.password = '';
    this.#url = url;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  async load(name: string): Promise<Checkpoint | undefined> {
    const { status, text } = await this.#request(name);
    if (status === 404 || status === 204 || (status === 200 && text.trim() === '')) return undefined;
    if (status !== 200) throw this.#refused({ what: 'asked for a checkpoint', status, text });
    const fields = this.#parse(text);
    if (fields === undefined) return undefined;
    const stored = fields['name'];
    if (typeof stored === 'string' && stored !== '' && stored !== name && !UNNAMED.test(stored)) {
      throw new CheckpointError({
        code: 'CHECKPOINT_FOREIGN',
        message: `${this.#where} answers with the checkpoint of ${stored}, not of ${name}`,
        hint: 'give each replica set a checkpoint service of its own, or let the service tell them apart by the query parameter name',
      });
    }
    return checkpointOf({
      name,
      position: this.#positionOf(fields['ckpt']),
      version: fields['version'],
      fetchMethod: fields['fetch_method'],
      diskQueue: fields['oplog_disk_queue'],
      where: this.#where,
    });
  }

  /** Nothing: this store knows no terms, and configurations with an election are refused with it. */
  ofTerm(): this {
    return this;
  }

  async claim(): Promise<void> {}

  async save(checkpoint: Checkpoint): Promise<void> {
    // The protocol has no conditional write; a look before it keeps a higher position of another collector.
    const stored = await this.load(checkpoint.name);
    if (stored !== undefined && stored.position >= checkpoint.position) return;
    const body = stringifyExactJson(checkpointFields(checkpoint));
    const { status, text } = await this.#request(checkpoint.name, body);
    if (status !== 200) throw this.#refused({ what: 'given a checkpoint', status, text });
  }

  get #where(): string {
    return `The checkpoint service ${this.#url.href}`;
  }

  async #request(name: string, body?: string): Promise<{ status: number; text: string }> {
    const url = new URL(this.#url);
    url.searchParams.set('name', name);
    const headers = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(this.#authorization === undefined ? {} : { authorization: this.#authorization }),
    };
    try {
      const response = await fetch(url, {
        headers,
        signal: AbortSignal.timeout(this.#timeoutMs),
        ...(body === undefined ? {} : { method: 'POST', body }),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      throw new CheckpointError({
        code: 'CHECKPOINT_STORE',
        message: `${this.#where} does not answer: ${describeError(error)}`,
        hint: 'check the address in checkpoint.storage.collection and that the service runs',
        retry: 'again',
        cause: error,
      });
    }
  }

  #parse(text: string): Record<string, unknown> | undefined {
    try {
      const value = parseExactJson(text);
      if (value === null) return undefined;
      if (typeof value === 'object' && !Array.isArray(value)) return { ...value };
    } catch {
      // Said below.
    }
    throw this.#unreadable(`answers ${JSON.stringify(text.slice(0, ANSWER_SHOWN))}, which is no JSON object`);
  }

  #positionOf(value: unknown): bigint | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'bigint') return BigInt.asUintN(64, value);
    if (Number.isSafeInteger(value)) return BigInt.asUintN(64, BigInt(Number(value)));
    throw this.#unreadable(`answers with a ckpt that is no integer: ${JSON.stringify(value)}`);
  }

  #unreadable(what: string): CheckpointError {
    return new CheckpointError({
      code: 'CHECKPOINT_UNREADABLE',
      message: `${this.#where} ${what}`,
      hint: 'it must answer an object with name, ckpt, version, fetch_method, oplog_disk_queue and oplog_disk_queue_apply_finish_ts; ckpt 0 or status 404 means that there is none',
    });
  }

  #refused(answer: { what: string; status: number; text: string }): CheckpointError {
    const shown = answer.text.trim().slice(0, ANSWER_SHOWN);
    return new CheckpointError({
      code: 'CHECKPOINT_STORE',
      message: `${this.#where}, ${answer.what}, answers with status ${answer.status}${shown === '' ? '' : `: ${shown}`}`,
      hint: 'it must answer with status 200',
      retry: 'again',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** How much of a strange answer an error shows. */
const ANSWER_SHOWN = 200;

/** MongoShake's name for a replica set whose real name it had no right to ask for. */
const UNNAMED = /^default-\d+$/;

function basicAuthorization(url: URL): string | undefined {
  if (url.username === '') return undefined;
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return `Basic ${Buffer.from(login).toString('base64')}`;
}
