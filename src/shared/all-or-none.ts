/**
 * Does several things at once. When one fails, the others are told to end and waited for, so that nothing goes on behind the caller's back.
 * @param begin starts them; the signal aborts when one has failed
 * @throws the first failure
 */
export async function allOrNone<T extends readonly unknown[] | []>(
  begin: (signal: AbortSignal) => T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const failed = new AbortController();
  const all = begin(failed.signal);
  try {
    return await Promise.all(all);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(all);
    throw error;
  }
}
