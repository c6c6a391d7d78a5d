import type { Document } from 'mongodb';

/** Runs a command in a database, on whatever member the owner of the function decides. */
export type RunCommand = (database: string, command: Document) => Promise<Document>;

/** The first document of a cursor's first reply, or undefined. */
export function firstDocumentOf(reply: Document): Document | undefined {
  const cursor: Document = reply['cursor'];
  const batch: Document[] = cursor['firstBatch'];
  return batch[0];
}
