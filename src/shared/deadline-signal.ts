/**
 * A signal that aborts after `timeoutMs`, or with one of the given ones. To be used instead of
 * `AbortSignal.any([AbortSignal.timeout(…), …])`: in Node 20 nothing but that composite knows the timeout's signal, and it
 * holds it weakly, so that a garbage collection takes the timeout away and the wait has no end.
 */
export function deadlineSignal(timeoutMs: number, ...signals: readonly AbortSignal[]): AbortSignal {
  const timedOut = new AbortController();
  const reason = new DOMException('The operation was aborted due to timeout', 'TimeoutError');
  // The timer is what holds the controller.
  setTimeout(() => timedOut.abort(reason), timeoutMs).unref();
  return AbortSignal.any([timedOut.signal, ...signals]);
}
