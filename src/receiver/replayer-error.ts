import { OplogueError } from '../shared/errors.ts';

/** A replayer cannot be used, or rejects what it is given; only a person can help. */
export class ReplayerError extends OplogueError {
  constructor(options: {
    code: 'REPLAYER_MODULE' | 'REPLAYER_OPEN' | 'REPLAYER_FAILED' | 'REPLAYER_UNSUPPORTED' | 'DEAD_LETTER';
    message: string;
    hint: string;
    cause?: unknown;
  }) {
    super({ retry: 'fatal', ...options });
  }
}
