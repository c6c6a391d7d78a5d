import type { KafkaSaslConfig, KafkaTlsConfig, SocketTlsConfig } from './config.ts';
import type { OptionValues } from './option-table.ts';

/** The values that this file reads; collector.conf and receiver.conf both have them. */
type Values<K extends string> = Pick<OptionValues, K & keyof OptionValues>;

/** `tunnel.tls.*`; undefined: plain. */
export function socketTlsOf(values: Values<`tunnel.tls.${string}`>): SocketTlsConfig | undefined {
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

/** `tunnel.kafka.sasl.*`; undefined: no login. */
export function kafkaSaslOf(
  values: Values<`tunnel.kafka.sasl.${string}` | 'tunnel.sasl.mechanism'>,
): KafkaSaslConfig | undefined {
  if (!values['tunnel.kafka.sasl.enable']) return undefined;
  const auth = values['tunnel.kafka.sasl.auth'];
  const at = auth.indexOf('@');
  return {
    mechanism: values['tunnel.sasl.mechanism'],
    username: auth.slice(0, at),
    password: auth.slice(at + 1),
  };
}

/** `tunnel.kafka.tls.*`; undefined: plain. */
export function kafkaTlsOf(
  values: Values<`tunnel.kafka.tls.${string}` | 'tunnel.mongo_ssl_root_ca_file'>,
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
