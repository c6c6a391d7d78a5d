import { OplogueError } from '../shared/errors.ts';

/** The checkpoint cannot be read or stored. `retry` tells whether waiting may help. */
export class CheckpointError extends OplogueError {}
