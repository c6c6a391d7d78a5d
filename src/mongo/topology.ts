import type { Document } from 'mongodb';
import { OplogueError } from '../shared/errors.ts';
import { maskUrl } from '../shared/mask-url.ts';

/** What we are connected to, as `hello` and `buildInfo` tell. */
export interface Topology {
  readonly kind: 'replicaSet' | 'standalone' | 'mongos' | 'notInitiated';
  /** Replica-set name; empty unless `kind` is replicaSet. */
  readonly setName: string;
  /** The full version, as `6.0.5`. */
  readonly version: string;
}

export function topologyOf(hello: Document, buildInfo: Document): Topology {
  const setName = typeof hello['setName'] === 'string' ? hello['setName'] : '';
  return { kind: kindOf(hello, setName), setName, version: String(buildInfo['version']) };
}

function kindOf(hello: Document, setName: string): Topology['kind'] {
  if (hello['msg'] === 'isdbgrid') return 'mongos';
  if (setName !== '') return 'replicaSet';
  return hello['isreplicaset'] === true ? 'notInitiated' : 'standalone';
}

/** The deployment has no oplog that we can read. */
export class TopologyError extends OplogueError {}

/** @throws TopologyError with the cure when there is no oplog to read at `url`. */
export function assertHasOplog(topology: Topology, url: string): void {
  const where = maskUrl(url);
  switch (topology.kind) {
    case 'replicaSet':
      return;
    case 'mongos':
      throw new TopologyError({
        code: 'MONGO_IS_MONGOS',
        message: `${where} is a mongos router, which has no oplog`,
        hint: 'list one URL per shard in mongo_urls (sh.status() names them) and the router in mongo_s_url',
      });
    case 'notInitiated':
      throw new TopologyError({
        code: 'MONGO_NOT_INITIATED',
        message: `${where} is a member of a replica set that has not been initiated`,
        hint: 'run rs.initiate() on it',
      });
    case 'standalone':
      throw new TopologyError({
        code: 'MONGO_NO_OPLOG',
        message: `${where} is a standalone mongod, which has no oplog`,
        hint: 'start it with --replSet NAME and run rs.initiate(): a replica set of one member is enough',
      });
  }
}
