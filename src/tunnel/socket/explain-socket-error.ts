import { SocketTunnelError } from './socket-tunnel-error.ts';

/** Failures of the TLS handshake that waiting does not cure (codes of OpenSSL and Node). */
const TLS_CODE =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/;

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name cannot be looked up now',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'connection timed out',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection closed',
};

/**
 * Why a receiver could not be reached.
 * @returns an error for what only a person can cure (certificates, a peer without TLS), else a short text: try again
 */
export function explainSocketError(error: unknown, peer: string, isTls: boolean): SocketTunnelError | string {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (TLS_CODE.test(code)) {
    return new SocketTunnelError({
      code: 'SOCKET_TLS',
      message: `TLS with ${peer} failed: ${message} (${code})`,
      hint: 'name the certificate authority in tunnel.tls.ca_file and our own certificate in tunnel.tls.cert_file, use the host name that the certificate is for, and check that tunnel.tls.enable is set on both ends',
      cause: error,
    });
  }
  const text = `${peer}: ${reasons[code] ?? message}`;
  if (!isTls || !message.includes('before secure TLS')) return text;
  return `${peer}: closed during the TLS handshake; is tunnel.tls.enable set at the other end too?`;
}
