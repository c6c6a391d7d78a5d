import { ReadPreference, type ServerType } from 'mongodb';

/** `mongo_connect_mode`: which member of a replica set is read. */
export type ConnectMode = 'primary' | 'secondaryPreferred' | 'secondary' | 'nearest' | 'standalone';

/** A member further behind than this is not read while a better one is there; the driver's smallest value. */
const MAX_STALENESS_SECONDS = 90;

/**
 * The read preference of a mode. `standalone` is a direct connection to the one member of the URL, in whatever
 * state it is; MongoShake, whose `secondary` read from the primary, is not followed there.
 */
export function readPreferenceOf(mode: ConnectMode): ReadPreference {
  switch (mode) {
    case 'primary':
      return ReadPreference.primary;
    case 'secondary':
      return ReadPreference.secondary;
    case 'standalone':
      return ReadPreference.nearest;
    default:
      return new ReadPreference(mode, undefined, { maxStalenessSeconds: MAX_STALENESS_SECONDS });
  }
}

/**
 * Whether a member in state `type` may go on being read. A mode that prefers secondaries stays on a member that has become
 * primary: moving costs more than it gives, and the mode allows it.
 */
export function modeAllows(mode: ConnectMode, type: ServerType): boolean {
  if (type === 'Unknown') return true; // Its own connection will tell.
  if (mode === 'primary') return type === 'RSPrimary';
  if (mode === 'secondary') return type === 'RSSecondary';
  return mode === 'standalone' || type === 'RSPrimary' || type === 'RSSecondary';
}
