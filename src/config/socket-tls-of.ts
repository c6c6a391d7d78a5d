import type { SocketTlsConfig } from './config.ts';
import type { OptionValues } from './option-table.ts';

/** `tunnel.tls.*`; undefined: plain. */
export function socketTlsOf(
  values: Pick<OptionValues, `tunnel.tls.${string}` & keyof OptionValues>,
): SocketTlsConfig | undefined {
  const tls = {
    caFile: values['tunnel.tls.ca_file'] || undefined,
    certFile: values['tunnel.tls.cert_file'] || undefined,
    keyFile: values['tunnel.tls.key_file'] || undefined,
    keyPassword: values['tunnel.tls.key_password'] || undefined,
    allowInvalidCertificates: values['tunnel.tls.allow_invalid_certificates'],
  };
  const wanted = values['tunnel.tls.enable'] || tls.caFile !== undefined || tls.certFile !== undefined;
  return wanted ? tls : undefined;
}
