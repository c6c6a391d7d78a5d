import { BsonType } from '../bson/bson-type.ts';
import { endOfCString, readInt32 } from '../bson/read-value.ts';
import { classifyEntry, EntryKind } from './entry-kind.ts';
import { Op, type EntryHeader } from './entry-header.ts';
import { findField, typeOfField } from './find-field.ts';
import { MalformedEntryError } from './malformed-entry-error.ts';

/** What a DDL entry does, and to what. */
export interface Ddl {
  /** The command, e.g. `createIndexes`; `createIndexes` too for an insert into `system.indexes`. */
  readonly command: string;
  readonly database: string;
  /** Full names of the collections it touches; for `renameCollection` from and to. Empty: see {@link scope}. */
  readonly namespaces: readonly string[];
  /** `collections`: those in `namespaces`. `database`: all of `database`. `unknown`: it does not say. */
  readonly scope: 'collections' | 'database' | 'unknown';
  /** Start and abort of an index build change nothing by themselves: never carried, as MongoShake. */
  readonly alwaysFiltered: boolean;
}

/** Whether the entry is DDL: a command that is none of a transaction's, or an insert into `system.indexes`. */
export function isDdl(header: EntryHeader): boolean {
  return classifyEntry(header) === EntryKind.ddl;
}

/**
 * Reads a DDL entry. Allocates: DDL is rare.
 * @throws MalformedEntryError when the entry names no command.
 */
export function describeDdl(header: EntryHeader): Ddl {
  const ns = header.ns;
  const dot = ns.indexOf('.');
  const database = dot === -1 ? ns : ns.slice(0, dot);
  if (header.oAt === 0 || header.oType !== BsonType.document) {
    throw new MalformedEntryError(header, 'a command has no o');
  }
  if (header.op === Op.insert) {
    const target = readText(header, 'ns');
    return ddl('createIndexes', database, target === undefined ? [] : [target]);
  }
  const command = firstKey(header);
  const value = readText(header, command);
  if (command === 'dropDatabase') {
    return { command, database, namespaces: [], scope: 'database', alwaysFiltered: false };
  }
  if (value === undefined) return ddl(command, database, []);
  if (command === 'renameCollection') {
    const to = readText(header, 'to');
    return ddl(command, database, to === undefined ? [value] : [value, to]);
  }
  if (COLLECTION_COMMANDS.has(command)) return ddl(command, database, [`${database}.${value}`]);
  // Commands of other versions (dbCheck, importCollection, truncateRange) name the full namespace or the collection.
  return ddl(command, database, [value.startsWith(`${database}.`) ? value : `${database}.${value}`]);
}

const COLLECTION_COMMANDS: ReadonlySet<string> = new Set([
  'create',
  'drop',
  'createIndexes',
  'startIndexBuild',
  'commitIndexBuild',
  'abortIndexBuild',
  'collMod',
  'dropIndex',
  'dropIndexes',
  'deleteIndex',
  'deleteIndexes',
  'convertToCapped',
  'emptycapped',
]);

function ddl(command: string, database: string, namespaces: readonly string[]): Ddl {
  return {
    command,
    database,
    namespaces,
    scope: namespaces.length === 0 ? 'unknown' : 'collections',
    alwaysFiltered: command === 'startIndexBuild' || command === 'abortIndexBuild',
  };
}

function firstKey(header: EntryHeader): string {
  const { bytes, oAt } = header;
  if (bytes[oAt + 4] === BsonType.endOfDocument) throw new MalformedEntryError(header, 'a command is empty');
  return bytes.toString('utf8', oAt + 5, endOfCString(bytes, oAt + 5));
}

/** The text in the field `name` of `o`; undefined when it is absent or no string. */
function readText(header: EntryHeader, name: string): string | undefined {
  const { bytes } = header;
  const at = findField(bytes, header.oAt, name);
  if (at === 0 || typeOfField(bytes, at, name) !== BsonType.string) return undefined;
  return bytes.toString('utf8', at + 4, at + 3 + readInt32(bytes, at));
}
