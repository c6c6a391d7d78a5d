/** What one process showed of itself at one moment. Figures that it does not have are undefined. */
export interface StatLine {
  readonly address: string;
  readonly id: string;
  /** `streaming`, `standby of pid 12 on host`, `receiver`, or why there is nothing. */
  readonly state: string;
  /** Entries that were done since the process began. */
  readonly done: number | undefined;
  readonly read: number | undefined;
  readonly lagSeconds: number | undefined;
  readonly bufferedBytes: number | undefined;
  readonly rssBytes: number | undefined;
  readonly inFlight: number | undefined;
  readonly retries: number | undefined;
  readonly problems: readonly string[];
  readonly workers: ReadonlyArray<{
    readonly worker: number;
    readonly done: number;
    readonly waiting: number;
  }>;
}

const TIMEOUT_MS = 2000;
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

type Page = Readonly<Record<string, unknown>>;

/**
 * Asks a collector or a receiver how it is: `/status` of ours, `/repl` and `/worker` of MongoShake's.
 * @param address `host:port`
 * @returns never rejects: a process that does not answer is a line too
 */
export async function readStatLine(address: string): Promise<StatLine> {
  try {
    const status = await fetchPage(address, '/status');
    if (isPage(status) && typeof status['status'] === 'string') return ofOurs(address, status);
    return ofMongoShake(address, await fetchPage(address, '/repl'), await fetchPage(address, '/worker'));
  } catch (error) {
    return { ...nothing(address), state: `unreachable: ${reasonOf(error)}` };
  }
}

function nothing(address: string): StatLine {
  return {
    address,
    id: '-',
    state: '-',
    done: undefined,
    read: undefined,
    lagSeconds: undefined,
    bufferedBytes: undefined,
    rssBytes: undefined,
    inFlight: undefined,
    retries: undefined,
    problems: [],
    workers: [],
  };
}

function ofOurs(address: string, status: Page): StatLine {
  const sources = pagesOf(status['sources']);
  const replayers = pagesOf(status['replayers']);
  const memory = pageOf(status['memory']);
  const lanes = sources.flatMap((source) => pagesOf(source['lanes']));
  const isReceiver = status['who'] === 'receiver';
  const workers = isReceiver
    ? replayers.map((page, worker) => ({
        worker,
        done: numberOf(page['entries_done']) ?? 0,
        waiting: numberOf(page['messages_queued']) ?? 0,
      }))
    : lanes.map((page, worker) => ({
        worker,
        done: numberOf(page['entries']) ?? 0,
        waiting: numberOf(page['entries_in_flight']) ?? 0,
      }));
  return {
    address,
    id: textOf(status['id']),
    state: isReceiver ? `receiver, ${textOf(status['tunnel'])}` : stateOf(status, sources),
    done: total(
      isReceiver ? workers.map(({ done }) => done) : sources.map((s) => numberOf(s['entries_durable'])),
    ),
    read: total(sources.map((source) => numberOf(source['entries_read']))),
    lagSeconds: highest(sources.map((source) => numberOf(source['lag_seconds']))),
    bufferedBytes: numberOf(memory['used_bytes']),
    rssBytes: numberOf(memory['rss_bytes']),
    inFlight: total(workers.map(({ waiting }) => waiting)),
    retries: total(
      isReceiver
        ? replayers.map((page) => numberOf(page['retries']))
        : sources.map((source) => numberOf(source['send_retries'])),
    ),
    problems: Array.isArray(status['problems']) ? status['problems'].map(String) : [],
    workers,
  };
}

function ofMongoShake(address: string, repl: unknown, worker: unknown): StatLine {
  const sources = pagesOf(repl);
  if (sources.length === 0) throw new Error('it has no page /repl');
  const workers = pagesOf(worker).map((page, index) => ({
    worker: numberOf(page['worker_id']) ?? index,
    done: numberOf(page['count']) ?? 0,
    waiting: numberOf(page['jobs_unack_buffer']) ?? 0,
  }));
  const lags = sources.map((source) => {
    const [now, acknowledged] = [pageOf(source['now'])['unix'], pageOf(source['lsn_ack'])['unix']];
    return Number(now) > 0 && Number(acknowledged) > 0 ? Number(now) - Number(acknowledged) : undefined;
  });
  return {
    ...nothing(address),
    id: textOf(sources[0]['who']),
    state: 'MongoShake',
    done: total(sources.map((source) => numberOf(source['logs_success']))),
    read: total(sources.map((source) => numberOf(source['logs_get']))),
    lagSeconds: highest(lags),
    inFlight: total(workers.map(({ waiting }) => waiting)),
    workers,
  };
}

function stateOf(status: Page, sources: readonly Page[]): string {
  const election = pageOf(status['election']);
  if (election['role'] === 'standby') {
    const { pid, host } = pageOf(election['master']);
    return typeof pid === 'number' ? `standby of pid ${pid} on ${textOf(host)}` : 'standby, no master';
  }
  return [...new Set(sources.map((source) => textOf(source['state'])))].join(', ') || '-';
}

async function fetchPage(address: string, path: string): Promise<unknown> {
  const response = await fetch(`http://${address}${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const text = await response.text();
  if (text.length > PAGE_BYTES_MAX) throw new Error(`${path} is longer than ${PAGE_BYTES_MAX} bytes`);
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('what answers there is no collector');
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  return code === 'ECONNREFUSED' ? 'nothing listens there' : (code ?? error.message);
}

function isPage(value: unknown): value is Page {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pageOf(value: unknown): Page {
  return isPage(value) ? value : {};
}

/** One object or several: MongoShake's pages may be either. */
function pagesOf(value: unknown): Page[] {
  return (Array.isArray(value) ? value : [value]).filter(isPage);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '-';
}

function total(values: ReadonlyArray<number | undefined>): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0);
}

function highest(values: ReadonlyArray<number | undefined>): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
