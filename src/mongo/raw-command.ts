import { createRequire } from 'node:module';
import type { Document } from 'mongodb';
import { must } from '../shared/assert.ts';

/** The driver's own way of putting documents that are BSON already into a command (OP_MSG, section of kind 1). It is not among its exports. */
interface RawDocuments {
  push(document: Document, bytes: Uint8Array): number;
}

type RawDocumentsClass = new (field: string) => RawDocuments;

function isClass(value: unknown): value is RawDocumentsClass {
  return typeof value === 'function';
}

let documentSequence: RawDocumentsClass | undefined;

function rawDocumentsClass(): RawDocumentsClass {
  if (documentSequence === undefined) {
    const driver: unknown = createRequire(import.meta.url)('mongodb/lib/cmap/commands.js');
    const found: unknown = Reflect.get(Object(driver), 'DocumentSequence');
    documentSequence = must(isClass(found) ? found : undefined, 'the MongoDB driver has no DocumentSequence');
  }
  return documentSequence;
}

/** A value for the field `name` of a command: an array of documents, sent byte for byte. */
export function rawDocuments(name: string, documents: readonly Buffer[]): unknown {
  const sequence = new (rawDocumentsClass())(name);
  for (const bytes of documents) sequence.push({}, bytes);
  return sequence;
}
