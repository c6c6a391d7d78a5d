import { MongoServerSelectionError } from 'mongodb';
import { OplogueError, type Retry } from '../shared/errors.ts';
import { maskUrl } from '../shared/mask-url.ts';
import {
  isAuthenticationFailed,
  isPassingMongoError,
  isUnauthorized,
  serverErrorCode,
  ServerErrorCode,
} from './server-error.ts';

/** A MongoDB deployment cannot be reached or does not let us in. */
export class MongoConnectionError extends OplogueError {}

/** A MongoDB server answered something that we did not ask for. */
export class MongoCommandError extends OplogueError {}

/** OpenSSL's and Node's words for "the other side's certificate is not to be trusted". */
const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);

interface Diagnosis {
  readonly code: string;
  readonly what: string;
  readonly hint: string;
  readonly retry: Retry;
}

/** The error of a failed connection in words: which of the known causes it is, and its cure. */
export function connectionError(error: unknown, options: { url: string; purpose: string }): OplogueError {
  const { code, what, hint, retry } = diagnose(error);
  return new MongoConnectionError({
    code,
    message: `Cannot connect to the ${options.purpose} MongoDB ${maskUrl(options.url)}: ${what}`,
    hint,
    retry,
    cause: maskedCause(error),
  });
}

/** The error of a command that a server refused. `what` says what we wanted, as "read the oplog". */
export function commandError(error: unknown, options: { url: string; what: string }): OplogueError {
  if (error instanceof OplogueError) return error;
  const where = `Cannot ${options.what} at ${maskUrl(options.url)}`;
  if (isUnauthorized(error)) {
    return new MongoCommandError({
      code: 'MONGO_UNAUTHORIZED',
      message: `${where}: the user has no right to`,
      hint: 'give it the roles `read` on database `local`, `clusterMonitor`, and `readWrite` on the checkpoint database',
      cause: maskedCause(error),
    });
  }
  if (serverErrorCode(error) === ServerErrorCode.majorityReadNotEnabled) {
    return new MongoCommandError({
      code: 'MONGO_NO_MAJORITY_READ',
      message: `${where}: the server runs with enableMajorityReadConcern = false`,
      hint: 'turn it on (its default), or set incr_sync.read_concern = local and accept that a rollback may take back what was sent',
      cause: maskedCause(error),
    });
  }
  return new MongoCommandError({
    code: 'MONGO_COMMAND',
    message: `${where}: ${messageOf(error)}`,
    retry: isPassingMongoError(error) ? 'again' : 'fatal',
    cause: maskedCause(error),
  });
}

function diagnose(error: unknown): Diagnosis {
  const reasons = reasonsOf(error);
  const codes = new Set(reasons.flatMap((reason) => codesOf(reason)));
  const text = [...new Set(reasons.map(messageOf))].join(', ') || messageOf(error);
  if (reasons.some(isAuthenticationFailed)) {
    return {
      code: 'MONGO_AUTHENTICATION',
      what: 'user or password is wrong',
      hint: 'check user, password and authSource in the URL; special characters in the password must be percent-encoded',
      retry: 'fatal',
    };
  }
  const tls = diagnoseTls(codes, text);
  if (tls !== undefined) return tls;
  if (codes.has('ENOTFOUND') || codes.has('EAI_AGAIN') || codes.has('ENODATA')) {
    return {
      code: 'MONGO_UNREACHABLE',
      what: `the host name is not known (${text})`,
      hint: 'check the host names in the URL, and that the names in rs.conf() can be resolved here',
      retry: 'again',
    };
  }
  if (isPassingMongoError(error)) {
    return {
      code: 'MONGO_UNREACHABLE',
      what: text,
      hint: 'check that mongod runs and that host, port and firewall let us through; a server that requires TLS closes plain connections (set mongo_ssl_root_ca_file or tls=true); when only this one member can be reached set mongo_connect_mode = standalone',
      retry: 'again',
    };
  }
  return {
    code: 'MONGO_CONNECT',
    what: text,
    hint: 'check the URL: special characters in user and password must be percent-encoded',
    retry: 'fatal',
  };
}

function diagnoseTls(codes: ReadonlySet<string>, text: string): Diagnosis | undefined {
  if ([...codes].some((code) => UNTRUSTED.has(code))) {
    return {
      code: 'MONGO_TLS',
      what: `the server's certificate is not signed by a known authority (${text})`,
      hint: 'name the file with the certificate of your authority in mongo_ssl_root_ca_file',
      retry: 'fatal',
    };
  }
  if (codes.has('ERR_TLS_CERT_ALTNAME_INVALID') || codes.has('CERT_HAS_EXPIRED')) {
    return {
      code: 'MONGO_TLS',
      what: `the server's certificate does not hold (${text})`,
      hint: 'use a host name that the certificate names, or renew the certificate',
      retry: 'fatal',
    };
  }
  if ([...codes].some((code) => code === 'EPROTO' || code.startsWith('ERR_SSL_'))) {
    return {
      code: 'MONGO_TLS',
      what: `no TLS can be agreed with the server (${text})`,
      hint: 'the server may not speak TLS: remove tls=true and mongo_ssl_root_ca_file, or turn TLS on in mongod',
      retry: 'fatal',
    };
  }
  return undefined;
}

/** The errors of the single servers behind "server selection timed out", else the error itself. */
function reasonsOf(error: unknown): unknown[] {
  if (!(error instanceof MongoServerSelectionError)) return [error];
  const servers = error.reason === undefined ? [] : [...error.reason.servers.values()];
  const reasons = servers.map((server) => server.error).filter((reason) => reason !== null);
  return reasons.length === 0 ? [error] : reasons;
}

/** Codes of an error and of its causes. */
function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let e = error; e instanceof Error; e = e.cause) {
    if ('code' in e && typeof e.code === 'string') codes.push(e.code);
  }
  return codes;
}

function messageOf(error: unknown): string {
  return maskUrl(error instanceof Error ? error.message : String(error));
}

/** A driver's message may quote the URL that it was given. */
function maskedCause(error: unknown): unknown {
  // Some errors (DOMException) have a message that cannot be assigned.
  if (error instanceof Error) Object.defineProperty(error, 'message', { value: maskUrl(error.message) });
  return error;
}
