import type { KafkaSaslConfig } from './config.ts';
import type { OptionValues } from './option-table.ts';

/** `tunnel.kafka.sasl.*`; undefined: no login. */
export function kafkaSaslOf(
  values: Pick<OptionValues, (`tunnel.kafka.sasl.${string}` | 'tunnel.sasl.mechanism') & keyof OptionValues>,
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
