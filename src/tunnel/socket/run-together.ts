import type { Socket } from 'node:net';

/**
 * Runs the tasks of one session until the first of them ends or the signal aborts; then closes the sockets, which
 * ends the others.
 * @param start connects, notes its sockets as soon as it has them, and begins the tasks; gets a signal for the session
 * @throws what broke a socket, or what the first task threw
 */
export async function runTogether(
  signal: AbortSignal,
  start: (stop: AbortSignal, sockets: Socket[]) => Promise<Array<Promise<void>>>,
): Promise<void> {
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const sockets: Socket[] = [];
  let tasks: Array<Promise<void>> = [];
  try {
    tasks = await start(stop, sockets);
    for (const task of tasks) task.catch(() => {});
    await Promise.race([...tasks, aborted(stop)]);
  } catch (error) {
    // What broke a socket says more than that it could not be used after that.
    throw sockets.find(({ errored }) => errored !== null)?.errored ?? error;
  } finally {
    over.abort();
    for (const socket of sockets) socket.destroy();
    await Promise.allSettled(tasks);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}
