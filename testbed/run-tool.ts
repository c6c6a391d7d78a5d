import { createInterface } from 'node:readline';
import { spawnGuarded } from './process-guard.ts';
import { TestbedError } from './testbed-error.ts';

export interface RunToolOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What to do when the command is not there or fails. */
  readonly hint?: string;
  /** Called with each line that the tool prints. */
  readonly onLine?: (line: string) => void;
}

/**
 * Runs a tool to its end and returns what it printed (both streams).
 * @throws TestbedError when it is missing or fails; the message holds its last lines.
 */
export async function runTool(options: RunToolOptions): Promise<string> {
  const child = spawnGuarded(options.command, options.args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      options.onLine?.(line);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', (cause) =>
      reject(new TestbedError(`Cannot run ${options.command}`, options.hint, cause)),
    );
  });
  if (code !== 0) {
    const tail = lines.slice(-12).join('\n');
    throw new TestbedError(
      `${options.command} ${options.args.slice(0, 3).join(' ')} ended with ${code}:\n${tail}`,
      options.hint,
    );
  }
  return lines.join('\n');
}

/** Whether a tool can be run at all. */
export async function hasTool(command: string, args: readonly string[]): Promise<boolean> {
  try {
    await runTool({ command, args });
    return true;
  } catch {
    return false;
  }
}
