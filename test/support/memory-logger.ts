import { describeError } from '../../src/shared/errors.ts';
import type { Logger } from '../../src/shared/logger.ts';

/** A logger that keeps its lines, for tests that look at them. */
export class MemoryLogger implements Logger {
  readonly lines: string[] = [];

  /** All lines of info and above. */
  get text(): string {
    return this.lines.join('\n');
  }

  debug(): void {}

  info(fields: object | string, message?: string): void {
    this.#add('info', fields, message);
  }

  warn(fields: object | string, message?: string): void {
    this.#add('warn', fields, message);
  }

  error(fields: object | string, message?: string): void {
    this.#add('error', fields, message);
  }

  child(): Logger {
    return this;
  }

  #add(level: string, fields: object | string, message = ''): void {
    const text = typeof fields === 'string' ? fields : JSON.stringify(fields, errorsAsText);
    this.lines.push(`${level} ${text} ${message}`);
  }
}

function errorsAsText(_key: string, value: unknown): unknown {
  return value instanceof Error ? describeError(value) : value;
}
