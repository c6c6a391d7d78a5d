import { commandError } from './mongo-connection-error.ts';
import type { MongoConnection } from './mongo-connection.ts';
import { serverErrorCode, ServerErrorCode } from './server-error.ts';

/** The databases of the server itself. */
const SYSTEM_DATABASES = new Set(['admin', 'local', 'config']);

/**
 * Whether any collection of the deployment has a unique index besides that of _id: what `incr_sync.shard_key = auto`
 * asks, because then two documents of one collection depend on each other's order.
 * @throws MongoCommandError
 */
export async function hasUniqueIndex(connection: MongoConnection): Promise<boolean> {
  try {
    return await searchUniqueIndex(connection);
  } catch (error) {
    throw commandError(error, { url: connection.maskedUrl, what: 'list the indexes' });
  }
}

async function searchUniqueIndex(connection: MongoConnection): Promise<boolean> {
  const { client } = connection;
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
  for (const { name } of databases) {
    if (SYSTEM_DATABASES.has(name)) continue;
    const database = client.db(name);
    const collections = database.listCollections({ type: 'collection' }, { nameOnly: true });
    for await (const collection of collections) {
      if (collection.name.startsWith('system.')) continue;
      if (await collectionHasUniqueIndex(connection, `${name}.${collection.name}`)) return true;
    }
  }
  return false;
}

async function collectionHasUniqueIndex(connection: MongoConnection, namespace: string): Promise<boolean> {
  const dot = namespace.indexOf('.');
  const collection = connection.client.db(namespace.slice(0, dot)).collection(namespace.slice(dot + 1));
  try {
    // The index of _id is unique without saying so.
    for await (const index of collection.listIndexes()) if (index['unique'] === true) return true;
  } catch (error) {
    // Dropped while we were looking.
    if (serverErrorCode(error) !== ServerErrorCode.namespaceNotFound) throw error;
  }
  return false;
}
