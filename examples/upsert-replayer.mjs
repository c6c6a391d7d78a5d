// A replayer of about 30 lines: keeps the newest state of every document in memory, as a search index or a cache would, and writes
// it to the file that replayer.argument names. Use it with
//   node bin/receiver.js -conf=conf/receiver.conf -verbose=2 --set replayer.module=../examples/upsert-replayer.mjs --set replayer.argument=state.json
import { rename, writeFile } from 'node:fs/promises';

const documents = new Map();
let path = 'state.json';

export function open({ argument, logger }) {
  if (argument !== '') path = argument;
  logger.info(`the newest state of every document goes to ${path}`);
}

// May be called with entries that it had before: applying them again must do no harm, and here it does none.
export async function apply(entries) {
  for (const entry of entries) {
    const key = `${entry.ns} ${String(entry.documentId)}`;
    if (entry.op === 'i') documents.set(key, entry.plainDocument);
    // An update says what changed ($v: 2), or is the whole new document.
    if (entry.op === 'u') documents.set(key, { ...documents.get(key), change: entry.plainDocument });
    if (entry.op === 'd') documents.delete(key);
  }
  // The entries count as done, and the sender is told so, when this has resolved. A rejection brings them again.
  await writeFile(`${path}.new`, JSON.stringify(Object.fromEntries(documents), null, 2));
  await rename(`${path}.new`, path);
}

export function close() {
  documents.clear();
}
