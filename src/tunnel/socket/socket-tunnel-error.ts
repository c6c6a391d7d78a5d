import { OplogueError } from '../../shared/errors.ts';

/** A socket tunnel or its receiver cannot work as configured; only a person can help. */
export class SocketTunnelError extends OplogueError {
  constructor(options: {
    code: 'SOCKET_TLS' | 'SOCKET_TLS_FILE' | 'SOCKET_LISTEN';
    message: string;
    hint: string;
    cause?: unknown;
  }) {
    super({ retry: 'fatal', ...options });
  }
}
