/** Bytes that are no stream of Go's gob, or none that belongs here. The connection is closed for it. */
export class GobError extends Error {
  constructor(what: string) {
    super(`these bytes are no call of the rpc tunnel: ${what}`);
  }
}
