import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import { formatSocketAddress, type SocketAddress } from '../../config/socket-address.ts';
import { deadlineSignal } from '../../shared/deadline-signal.ts';

const LOCAL_HOST = '127.0.0.1';
const CONNECT_TIMEOUT_MS = 10_000;
/** A far side whose machine is gone is found out after this and a few seconds more. */
const KEEP_ALIVE_MS = 15_000;

export interface ConnectOptions {
  readonly address: SocketAddress;
  /** undefined: plain. */
  readonly tls: TlsOptions | undefined;
  readonly signal: AbortSignal;
}

/**
 * Connects, with TLS when asked for, and waits until that has succeeded. Errors of the socket after that come
 * out of reading it.
 * @throws the error of the socket, or the reason of the signal
 */
export async function connectSocket({ address, tls, signal }: ConnectOptions): Promise<Socket> {
  signal.throwIfAborted();
  const host = address.host === '' ? LOCAL_HOST : address.host;
  const { port } = address;
  const socket =
    tls === undefined
      ? connect({ host, port })
      : connectTls({ ...tls, host, port, ...(isIP(host) === 0 ? { servername: host } : {}) });
  const stop = deadlineSignal(CONNECT_TIMEOUT_MS, signal);
  const onAbort = (): void => {
    const isTimeout = !signal.aborted;
    socket.destroy(isTimeout ? new Error(silence(address, tls !== undefined)) : undefined);
  };
  stop.addEventListener('abort', onAbort, { once: true });
  // Whatever happens to the socket later on must never be an unhandled event.
  socket.on('error', () => {});
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once(tls === undefined ? 'connect' : 'secureConnect', resolve);
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed while connecting')));
    });
  } finally {
    stop.removeEventListener('abort', onAbort);
  }
  if (signal.aborted) socket.destroy();
  signal.throwIfAborted();
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
}

function silence(address: SocketAddress, isTls: boolean): string {
  const what = isTls ? 'TLS handshake' : 'connection';
  return `no ${what} with ${formatSocketAddress(address)} within ${CONNECT_TIMEOUT_MS / 1000} s`;
}
