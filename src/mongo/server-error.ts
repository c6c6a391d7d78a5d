import {
  MongoError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoServerError,
  MongoServerSelectionError,
} from 'mongodb';

/**
 * The server errors that this project tells apart, by their codes
 * (https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml). No other file looks at codes
 * or message texts of the server.
 */
export const ServerErrorCode = {
  hostUnreachable: 6,
  hostNotFound: 7,
  unauthorized: 13,
  authenticationFailed: 18,
  lockTimeout: 24,
  namespaceNotFound: 26,
  indexNotFound: 27,
  cursorNotFound: 43,
  namespaceExists: 48,
  maxTimeExpired: 50,
  commandNotFound: 59,
  writeConcernFailed: 64,
  indexOptionsConflict: 85,
  indexKeySpecsConflict: 86,
  networkTimeout: 89,
  shutdownInProgress: 91,
  notYetInitialized: 94,
  writeConflict: 112,
  failedToSatisfyReadPreference: 133,
  majorityReadNotAvailableYet: 134,
  cappedPositionLost: 136,
  queryPlanKilled: 175,
  primarySteppedDown: 189,
  cursorKilled: 237,
  majorityReadNotEnabled: 148,
  snapshotUnavailable: 246,
  exceededTimeLimit: 262,
  clientDisconnect: 279,
  socketException: 9001,
  notWritablePrimary: 10107,
  duplicateKey: 11000,
  interruptedAtShutdown: 11600,
  interrupted: 11601,
  interruptedByStateChange: 11602,
  notPrimaryNoSecondaryOk: 13435,
  notPrimaryOrSecondary: 13436,
} as const;

/** The cursor is gone, the server is well: ask anew from the last position. */
const CURSOR_GONE = new Set<number>([
  ServerErrorCode.cursorNotFound,
  ServerErrorCode.cappedPositionLost,
  ServerErrorCode.queryPlanKilled,
  ServerErrorCode.cursorKilled,
  ServerErrorCode.interrupted,
]);

/** An election, a shutdown, a start, an overload: passes by itself. */
const PASSING = new Set<number>([
  ServerErrorCode.hostUnreachable,
  ServerErrorCode.hostNotFound,
  ServerErrorCode.lockTimeout,
  ServerErrorCode.maxTimeExpired,
  // No majority within the time, because members are away.
  ServerErrorCode.writeConcernFailed,
  ServerErrorCode.networkTimeout,
  ServerErrorCode.shutdownInProgress,
  ServerErrorCode.notYetInitialized,
  ServerErrorCode.writeConflict,
  ServerErrorCode.failedToSatisfyReadPreference,
  ServerErrorCode.majorityReadNotAvailableYet,
  ServerErrorCode.primarySteppedDown,
  ServerErrorCode.snapshotUnavailable,
  ServerErrorCode.exceededTimeLimit,
  ServerErrorCode.clientDisconnect,
  ServerErrorCode.socketException,
  ServerErrorCode.notWritablePrimary,
  ServerErrorCode.interruptedAtShutdown,
  ServerErrorCode.interruptedByStateChange,
  ServerErrorCode.notPrimaryNoSecondaryOk,
  ServerErrorCode.notPrimaryOrSecondary,
]);

/** The server's code, or undefined when the error is not an answer of a server. */
export function serverErrorCode(error: unknown): number | undefined {
  if (!(error instanceof MongoServerError)) return undefined;
  return typeof error.code === 'number' ? error.code : Number(error.code ?? 0);
}

/** Whether a new cursor at the last position is the answer. */
export function isCursorGone(error: unknown): boolean {
  const code = serverErrorCode(error);
  return code !== undefined && CURSOR_GONE.has(code);
}

/** Whether the same may well work in a moment: the network, an election, a restart, a dead cursor. */
export function isPassingMongoError(error: unknown): boolean {
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  const code = serverErrorCode(error);
  if (code !== undefined) return PASSING.has(code) || CURSOR_GONE.has(code);
  // Closed pools and topologies of a client that lost its server.
  if (error instanceof MongoError) return PASSING_DRIVER_ERRORS.has(error.name);
  // The driver lets an error of the socket itself through when it strikes in the middle of a write.
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

const PASSING_DRIVER_ERRORS = new Set([
  'MongoPoolClearedError',
  'MongoPoolClosedError',
  'MongoServerClosedError',
  'MongoTopologyClosedError',
  'MongoWaitQueueTimeoutError',
  'MongoOperationTimeoutError',
  'MongoUnexpectedServerResponseError',
]);

/** Whether a request was given up because nothing came. */
export function isSilenceOfMongo(error: unknown): boolean {
  return error instanceof MongoNetworkTimeoutError;
}

export function isUnauthorized(error: unknown): boolean {
  return serverErrorCode(error) === ServerErrorCode.unauthorized;
}

export function isAuthenticationFailed(error: unknown): boolean {
  return serverErrorCode(error) === ServerErrorCode.authenticationFailed;
}

export function isDuplicateKey(error: unknown): boolean {
  return serverErrorCode(error) === ServerErrorCode.duplicateKey;
}
