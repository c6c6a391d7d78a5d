import { OplogueError } from '../shared/errors.ts';

/** The status server could not listen; whether the collector goes on without it is the caller's choice. */
export class MonitorListenError extends OplogueError {
  constructor(options: { host: string; port: number; portKey: string; cause: unknown }) {
    const { host, port, portKey, cause } = options;
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const reasons = new Map<unknown, [string, string]>([
      [
        'EADDRINUSE',
        ['is used by another process', `set ${portKey} to a free port, or end the other process`],
      ],
      ['EACCES', ['may not be opened by this user', `set ${portKey} to a port above 1023`]],
      ['EADDRNOTAVAIL', ['is not an address of this host', 'set http.bind to an address of this host']],
      ['ENOTFOUND', ['cannot be resolved', 'set http.bind to an address of this host']],
    ]);
    const [message, hint] = reasons.get(code) ?? ['cannot be listened on', `check http.bind and ${portKey}`];
    super({ code: 'MONITOR_LISTEN', message: `${host}:${port} (${portKey}) ${message}`, hint, cause });
  }
}
