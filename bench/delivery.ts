/** What `tunnel.kafka.delivery` takes. */
export type Delivery = 'at_least_once' | 'exactly_once';

/**
 * What is measured one after the other in a run. Which comes first changes from run to run: the one behind finds caches warm and a
 * broker that is still busy with what the one before has left.
 * @throws RangeError for what `--delivery` does not take
 */
export function deliveriesOf(asked: string, run: number): readonly Delivery[] {
  if (asked === 'at_least_once' || asked === 'exactly_once') return [asked];
  if (asked !== 'both')
    throw new RangeError(`--delivery takes at_least_once, exactly_once or both, not ${asked}`);
  return run % 2 === 0 ? ['at_least_once', 'exactly_once'] : ['exactly_once', 'at_least_once'];
}
