/** Where a receiver listens. An empty host: this machine, on all its addresses. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

const pattern = /^(\[[0-9a-fA-F:.]+\]|[^\s:/@[\]]*):(\d{1,5})$/;

/**
 * Reads the address of the tunnels tcp and rpc: `host:port`, `[ipv6]:port`, or `:port`.
 * @param portsAfter how many ports after this one are used too: 1 for tcp
 * @returns what is wrong with the address as text, otherwise its parts.
 */
export function parseSocketAddress(text: string, portsAfter: 0 | 1): SocketAddress | string {
  const match = pattern.exec(text.trim());
  const port = Number(match?.[2] ?? 0);
  if (match === null || port < 1 || port > 65535) return 'it is not host:port';
  if (port + portsAfter > 65535) return 'the next port is used too, and there is none';
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

export function formatSocketAddress({ host, port }: SocketAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
