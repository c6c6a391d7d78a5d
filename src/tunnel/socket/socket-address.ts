import { SocketTunnelError } from './socket-tunnel-error.ts';

/** Where a receiver listens. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

const PATTERN = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/;
const PORT_MAX = 65_535;

/**
 * Reads `host:port`, `:port` (this machine) or `[ipv6]:port`.
 * @param portsAfter how many ports after this one are used too
 * @throws SocketTunnelError when it is none of these
 */
export function parseSocketAddress(text: string, portsAfter = 0): SocketAddress {
  const match = PATTERN.exec(text.trim());
  const port = Number(match?.[3] ?? 0);
  if (match === null || port < 1 || port + portsAfter > PORT_MAX) {
    const ports = portsAfter === 0 ? '' : `; the next ${portsAfter} port(s) are used too`;
    throw new SocketTunnelError({
      code: 'SOCKET_ADDRESS',
      message: `tunnel.address = ${text} is not an address of a receiver${ports}`,
      hint: 'it looks like 192.168.0.5:8000',
    });
  }
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port };
}

export function formatSocketAddress({ host, port }: SocketAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
