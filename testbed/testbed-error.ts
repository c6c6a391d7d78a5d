import { OplogueError } from '../src/shared/errors.ts';

/** Something that tests, the demo or a benchmark need is missing or broken; the hint names the remedy. */
export class TestbedError extends OplogueError {
  constructor(message: string, hint?: string, cause?: unknown) {
    super({ code: 'TESTBED', message, ...(hint === undefined ? {} : { hint }), cause });
  }
}
