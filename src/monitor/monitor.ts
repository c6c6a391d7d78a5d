import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Leadership } from '../metrics/leadership.ts';
import type { SourceView } from '../metrics/source-view.ts';
import { parseExactJson, stringifyExactJson } from '../shared/exact-json.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import { defaultHealthLimits, health, type HealthLimits } from './health.ts';
import { oneOrMany, persistPage, queuePage, replPage, workerPage } from './mongoshake-pages.ts';
import { MonitorListenError } from './monitor-listen-error.ts';
import { serverLimits } from './server-limits.ts';
import { statusPageHtml, statusPagePolicy } from './status-page.ts';
import { statusData } from './status-data.ts';

const connectionsMax = 64;

/** What `/sentinel` shows and `/sentinel/options` changes; the real one belongs to the config room. */
export interface SentinelControl {
  /** The options; a bigint where a number is not exact. */
  values(): Record<string, unknown>;
  /** Applies options and gives MongoShake's answer: `success`, or what is wrong. */
  apply(options: unknown): string;
}

export interface MonitorOptions {
  readonly id: string;
  readonly version: string;
  readonly sources: () => readonly SourceView[];
  readonly budget: MemoryBudget;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  readonly sentinel: SentinelControl;
  /** What `/conf` shows: MongoShake's field names, secrets masked. */
  readonly conf: object;
  /** With an election: who leads. */
  readonly leadership?: (() => Leadership) | undefined;
  readonly health?: HealthLimits;
  /** The key that a taken port is blamed on; default `incr_sync.http_port`. */
  readonly portKey?: string;
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;

/** The status server: MongoShake's REST pages, Prometheus metrics, health, and a page for people. */
export class Monitor implements AsyncDisposable {
  readonly #options: MonitorOptions;
  /** For tests: `server.inject`. */
  readonly server: FastifyInstance;
  readonly #routes: Array<{ Uri: string; Method: 'GET' | 'POST' }> = [];

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.server = Fastify({ logger: false, ...serverLimits });
    this.server.server.maxConnections = connectionsMax;
    this.#takeBodiesAsText();
    this.#answerErrors();
    this.#addMongoShakePages();
    this.#addOwnPages();
    this.#refuseOtherMethods();
  }

  /**
   * Listens.
   * @returns the port, of interest when 0 was asked for.
   * @throws MonitorListenError when the port is taken or the address is not ours.
   */
  async listen(address: { host: string; port: number }): Promise<number> {
    try {
      await this.server.listen(address);
    } catch (cause) {
      throw new MonitorListenError({
        ...address,
        portKey: this.#options.portKey ?? 'incr_sync.http_port',
        cause,
      });
    }
    const bound = this.server.server.address();
    return bound !== null && typeof bound === 'object' ? bound.port : address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
  }

  /** MongoShake's users post with curl, whose content type is a form's: the type is not looked at. */
  #takeBodiesAsText(): void {
    this.server.removeAllContentTypeParsers();
    this.server.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  }

  #answerErrors(): void {
    this.server.setErrorHandler((error, _request, reply) => {
      const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
      const ours = status >= 400 && status < 500 && error instanceof Error;
      return reply.code(ours ? status : 500).send({ error: ours ? error.message : 'internal error' });
    });
    // As MongoShake does: a path that is not known is answered with the list of those that are.
    this.server.setNotFoundHandler((request, reply) => {
      if (request.method === 'GET' || request.method === 'HEAD') return reply.send(this.#routes);
      return reply.code(404).send({ error: 'no such page' });
    });
    this.server.addHook('onSend', async (_request, reply) => {
      reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    });
  }

  #addMongoShakePages(): void {
    const { id, version, sources, sentinel, conf } = this.#options;
    this.#add('GET', '/conf', () => conf);
    // ExitPoint is a position of 64 bits: every digit goes out.
    this.#add('GET', '/sentinel', (_request, reply) =>
      reply.type('application/json; charset=utf-8').send(stringifyExactJson(sentinel.values())),
    );
    this.#add('POST', '/sentinel/options', (request, reply) => this.#applySentinel(request, reply));
    this.#add('GET', '/repl', () =>
      oneOrMany(sources().map(({ stats }) => replPage(stats, { id, version }, Date.now()))),
    );
    this.#add('GET', '/queue', () => oneOrMany(sources().map(queuePage)));
    this.#add('GET', '/worker', () =>
      oneOrMany(
        sources()
          .flatMap(({ stats }) => stats.lanes)
          .map(workerPage),
      ),
    );
    this.#add('GET', '/persist', () => oneOrMany(sources().map(persistPage)));
  }

  #addOwnPages(): void {
    const { sources, metrics, health: limits = defaultHealthLimits } = this.#options;
    const now = (): ReturnType<typeof health> =>
      health(
        sources().map(({ stats }) => stats),
        limits,
        Date.now(),
      );
    this.#add('GET', '/status', () => statusData(this.#options, now(), Date.now()));
    this.#add('GET', '/metrics', async (_request, reply) => {
      const text = await metrics.text();
      return reply.type(metrics.contentType).send(text);
    });
    this.#add('GET', '/healthz', (_request, reply) => {
      const page = now();
      return reply.code(page.status === 'ok' ? 200 : 503).send(page);
    });
    this.server.get('/', (request, reply) => {
      void reply.header('vary', 'accept');
      if (!(request.headers.accept ?? '').includes('text/html')) return reply.send(this.#routes);
      return reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', statusPagePolicy)
        .send(statusPageHtml);
    });
  }

  /** A page, and its line in the list at `/`. */
  #add(method: 'GET' | 'POST', path: string, handler: Handler): void {
    this.#routes.push({ Uri: path, Method: method });
    this.server.route({ method, url: path, handler });
  }

  /** MongoShake answers a wrong method with 200 and nothing, which hides the mistake. */
  #refuseOtherMethods(): void {
    for (const { Uri, Method } of this.#routes) {
      const method =
        Method === 'GET' ? ['POST', 'PUT', 'PATCH', 'DELETE'] : ['GET', 'PUT', 'PATCH', 'DELETE'];
      this.server.route({
        method,
        url: Uri,
        exposeHeadRoute: false,
        handler: (_request, reply) =>
          reply
            .code(405)
            .header('allow', Method)
            .send({ error: `${Uri} takes ${Method} only` }),
      });
    }
  }

  #applySentinel(request: FastifyRequest, reply: FastifyReply): unknown {
    // A browser names the page that a POST comes from: other sites must not steer a collector on this host.
    const { origin, host } = request.headers;
    if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) {
      return reply.code(403).send({ error: 'options are not taken from pages of other sites' });
    }
    const options = parseJsonObject(request.body);
    if (options === undefined) return { sentinel: 'request json options wrong format' };
    return { sentinel: this.#options.sentinel.apply(options) };
  }
}

function parseJsonObject(body: unknown): object | undefined {
  if (typeof body !== 'string') return undefined;
  try {
    const value = parseExactJson(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
