import { readFileSync } from 'node:fs';
import type { MongoClientOptions } from 'mongodb';
import { OplogueError } from '../shared/errors.ts';

/** TLS of a connection. Certificates and host names are verified unless told otherwise. */
export interface MongoTlsOptions {
  /** PEM file with the certificates of the authorities to trust (all of them are used); turns TLS on. */
  readonly caFile?: string | undefined;
  /** PEM file with our own certificate and key, for servers that ask for one. */
  readonly certificateKeyFile?: string | undefined;
  /** Password of that key. */
  readonly keyPassword?: string | undefined;
  /** Neither verify certificates nor host names: anyone on the way can read along. */
  readonly allowInvalidCertificates?: boolean | undefined;
}

/** The certificate file cannot be used. */
export class TlsFileError extends OplogueError {}

/** The driver's options for TLS. @throws TlsFileError naming the file that cannot be read. */
export function mongoTlsOptions(tls: MongoTlsOptions | undefined): MongoClientOptions {
  const options: MongoClientOptions = {};
  if (tls === undefined) return options;
  if (tls.caFile !== undefined && tls.caFile !== '') {
    assertPemFile(tls.caFile);
    options.tls = true;
    options.tlsCAFile = tls.caFile;
  }
  if (tls.certificateKeyFile !== undefined && tls.certificateKeyFile !== '') {
    assertPemFile(tls.certificateKeyFile);
    options.tls = true;
    options.tlsCertificateKeyFile = tls.certificateKeyFile;
    if (tls.keyPassword) options.tlsCertificateKeyFilePassword = tls.keyPassword;
  }
  if (tls.allowInvalidCertificates === true) options.tlsInsecure = true;
  return options;
}

function assertPemFile(path: string): void {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (error) {
    throw new TlsFileError({
      code: 'TLS_FILE',
      message: `The certificate file ${path} cannot be read`,
      hint: 'check the path and the rights of the file',
      cause: error,
    });
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new TlsFileError({
      code: 'TLS_FILE',
      message: `The certificate file ${path} holds no certificate`,
      hint: 'it must be in PEM form, with at least one BEGIN CERTIFICATE block',
    });
  }
}
