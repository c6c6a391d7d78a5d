import { OplogueError } from '../shared/errors.ts';

/** The election cannot be held. */
export class ElectionError extends OplogueError {}

/** The lease could not be renewed in time, or another collector has taken over: this one stands by again. */
export class LeaseLostError extends ElectionError {
  constructor(reason: string) {
    super({
      code: 'ELECTION_LEASE_LOST',
      message: `This collector is no longer the master: ${reason}`,
      hint: 'another collector goes on; look at the connection to the checkpoint store, and for freezes of this host',
      retry: 'again',
    });
  }
}
