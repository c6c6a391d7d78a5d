/** The right to work, held for a while and renewed; invariant I5. */
export interface Lease {
  /** Grows with every takeover; written into each checkpoint, so that a stale holder's write is refused. */
  readonly term: bigint;
  /** Aborts with a LeaseLostError, before anybody else can have taken over. */
  readonly lost: AbortSignal;
  /**
   * Whether the lease is held at this moment by the monotonic clock: false at once after a freeze that was too long, even
   * before {@link lost} has had a turn to abort.
   */
  readonly isHeld: boolean;
}
