import type { MongoTlsConfig } from '../config/config.ts';
import type { MongoTlsOptions } from '../mongo/mongo-tls.ts';

/** The TLS options of the MongoDB door, from the configuration's keys. */
export function mongoTlsOf(tls: MongoTlsConfig | undefined): MongoTlsOptions | undefined {
  if (tls === undefined) return undefined;
  return {
    caFile: tls.caFile,
    certificateKeyFile: tls.certificateKeyFile,
    keyPassword: tls.keyPassword,
    insecure: tls.allowInvalidCertificates,
  };
}
