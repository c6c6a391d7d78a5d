import { createServer } from 'node:net';

/**
 * Below the range that systems take for outgoing connections, so that a server finds its port free again when it is
 * restarted.
 */
const firstPort = 20_000;
const portCount = 12_000;

const handedOut = new Set<number>();

/** A port of 127.0.0.1 on which nothing listens, and that this process was not given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = firstPort + Math.floor(Math.random() * portCount);
    if (handedOut.has(port) || !(await canListen(port))) continue;
    handedOut.add(port);
    return port;
  }
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
