import { OplogueError } from '../../shared/errors.ts';

/** The file that `tunnel.address` names cannot be written; only a person can help. */
export class FileTunnelError extends OplogueError {
  constructor(options: { message: string; hint: string; cause?: unknown }) {
    super({ code: 'FILE_TUNNEL', retry: 'fatal', ...options });
  }
}
