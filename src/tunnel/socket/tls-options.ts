import { readFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import type { SocketTlsConfig } from '../../config/config.ts';
import { SocketTunnelError } from './socket-tunnel-error.ts';

export interface SocketTlsOptions extends SecureContextOptions {
  readonly rejectUnauthorized: boolean;
  /** For the listening end: demand a certificate. */
  readonly requestCert: boolean;
}

/**
 * Reads the files of certificates and keys, for either end.
 * @throws SocketTunnelError naming a file that cannot be read
 */
export function loadTlsOptions(tls: SocketTlsConfig): SocketTlsOptions {
  const { caFile, certFile, keyFile, keyPassword, allowInvalidCertificates } = tls;
  return {
    rejectUnauthorized: !allowInvalidCertificates,
    requestCert: !allowInvalidCertificates,
    ...(caFile === undefined ? {} : { ca: read(caFile) }),
    ...(certFile === undefined ? {} : { cert: read(certFile) }),
    ...(keyFile === undefined ? {} : { key: read(keyFile) }),
    ...(keyPassword === undefined ? {} : { passphrase: keyPassword }),
  };
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new SocketTunnelError({
      code: 'SOCKET_TLS_FILE',
      message: `The TLS file ${file} cannot be read`,
      hint: 'check the path and the rights of the tunnel.tls.* files',
      cause,
    });
  }
}
