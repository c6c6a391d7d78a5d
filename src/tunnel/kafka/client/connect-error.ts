import { KafkaTunnelError } from './kafka-error.ts';

/** Failures of the TLS handshake that waiting does not cure (codes of OpenSSL and Node). */
const TLS_CODE =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/;
const AUTHENTICATION_CODE = 'PLT_KFK_AUTHENTICATION';

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name cannot be looked up now',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'connection timed out',
  ECONNRESET: 'connection reset',
};

/**
 * Why a broker could not be reached.
 * @returns an error for what only a person can cure (certificates, passwords), else a short text: try again.
 */
export function explainConnectError(error: unknown, broker: string): KafkaTunnelError | string {
  const chain = causesOf(error);
  const authentication = chain.find((e) => e.code === AUTHENTICATION_CODE);
  if (authentication !== undefined) {
    return new KafkaTunnelError({
      code: 'KAFKA_AUTHENTICATION',
      message: `Kafka broker ${broker} refused the credentials: ${chain.at(-1)?.message ?? ''}`.replace(
        /\.$/,
        '',
      ),
      hint: 'check tunnel.kafka.sasl.auth and tunnel.sasl.mechanism against the listener of that broker',
      cause: error,
    });
  }
  const tls = chain.find((e) => e.code !== undefined && TLS_CODE.test(e.code));
  if (tls !== undefined) {
    return new KafkaTunnelError({
      code: 'KAFKA_TLS',
      message: `TLS with Kafka broker ${broker} failed: ${tls.message} (${tls.code ?? ''})`,
      hint: 'name the certificate authority in tunnel.mongo_ssl_root_ca_file, and use the host name that the certificate is for; is the port one that speaks TLS?',
      cause: error,
    });
  }
  const last = chain.at(-1);
  const reason = last?.code === undefined ? undefined : reasons[last.code];
  return `${broker}: ${reason ?? last?.message ?? String(error)}`.replace(/\.$/, '');
}

interface CodedError {
  readonly message: string;
  readonly code: string | undefined;
}

function causesOf(error: unknown): CodedError[] {
  const chain: CodedError[] = [];
  for (let e = error; e instanceof Error && chain.length < 10;) {
    chain.push({ message: e.message, code: 'code' in e && typeof e.code === 'string' ? e.code : undefined });
    e = e.cause ?? (e instanceof AggregateError ? e.errors[0] : undefined);
  }
  return chain;
}
