import type { KafkaTlsConfig } from './config.ts';
import type { OptionValues } from './option-table.ts';

/** `tunnel.kafka.tls.*`; undefined: plain. */
export function kafkaTlsOf(
  values: Pick<
    OptionValues,
    (`tunnel.kafka.tls.${string}` | 'tunnel.mongo_ssl_root_ca_file') & keyof OptionValues
  >,
): KafkaTlsConfig | undefined {
  const tls = {
    caFile: values['tunnel.kafka.tls.ca_file'] || values['tunnel.mongo_ssl_root_ca_file'] || undefined,
    certFile: values['tunnel.kafka.tls.cert_file'] || undefined,
    keyFile: values['tunnel.kafka.tls.key_file'] || undefined,
    keyPassword: values['tunnel.kafka.tls.key_password'] || undefined,
    allowInvalidCertificates: values['tunnel.kafka.tls.allow_invalid_certificates'],
  };
  const wanted = values['tunnel.kafka.tls.enable'] || tls.caFile !== undefined || tls.certFile !== undefined;
  return wanted ? tls : undefined;
}
