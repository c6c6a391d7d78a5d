import type { Reader, Writer } from '@platformatic/kafka';
import { bodyOf, type BrokerConnection } from './broker-connection.ts';
import { client } from './client.ts';
import { KafkaTunnelError } from './kafka-error.ts';

/** One version of an API, as the client's modules describe it. */
interface ApiVersion<Parameters extends unknown[], T> {
  readonly api: { readonly key: number; readonly version: number };
  readonly createRequest: (...parameters: Parameters) => Writer;
  readonly parseResponse: (correlationId: number, key: number, version: number, reader: Reader) => T;
}

/** An API with the versions of it that we speak alike, best first. */
export interface BrokerApi<Parameters extends unknown[], T> {
  readonly name: string;
  readonly versions: ReadonlyArray<ApiVersion<Parameters, T>>;
}

/**
 * Asks a broker in the best version that both sides speak. The client throws when an answer holds an error code; here the
 * answer itself comes back, which says more.
 * @throws KafkaTunnelError when the broker is too old, or what the connection throws
 */
export async function askBroker<Parameters extends unknown[], T>(
  connection: BrokerConnection,
  { name, versions }: BrokerApi<Parameters, T>,
  ...parameters: Parameters
): Promise<T> {
  const found = versions.find(
    ({ api }) => connection.version(api.key, api.version, api.version) !== undefined,
  );
  if (found === undefined) throw tooOld(connection, name);
  const { api, createRequest, parseResponse } = found;
  try {
    return await connection.ask({
      key: api.key,
      version: api.version,
      body: bodyOf(createRequest(...parameters)),
      parse: (reader, key, version) => parseResponse(0, key, version, reader),
    });
  } catch (error) {
    if (!(error instanceof client.ResponseError)) throw error;
    const answer: T = error['response'];
    return answer;
  }
}

/** A broker that does not speak what we need. */
export function tooOld(connection: BrokerConnection, api: string): KafkaTunnelError {
  return new KafkaTunnelError({
    code: 'KAFKA_VERSION',
    message: `Kafka broker ${connection.name} does not speak the version of ${api} that is needed`,
    hint: 'Kafka 2.8 or newer is needed',
  });
}
