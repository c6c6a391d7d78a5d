import type { OplogEntry } from '../message/oplog-entry.ts';
import { connectMongo } from '../mongo/connect-mongo.ts';
import { DocumentWriter, type CollectionName } from '../mongo/document-writer.ts';
import type { MongoConnection } from '../mongo/mongo-connection.ts';
import { TargetCommands } from '../mongo/target-commands.ts';
import { must } from '../shared/assert.ts';
import { OplogueError } from '../shared/errors.ts';
import { changeOf, CollectionFold, idsToFind, type Change } from './collection-fold.ts';
import { commandOf } from './entry-command.ts';
import type { ApplyContext, Replayer, ReplayerContext } from './replayer.ts';

/** How many changes are folded at once: fewer while the documents that they touch are large. */
const FOLD_MIN = 16;
const FOLD_MAX = 1000;
const FOUND_BYTES_MAX = 32 * 1024 * 1024;

/**
 * `replayer.module = mongodb`: brings a target MongoDB to the state of the source. The changes of each document are applied in their order;
 * what is written is the document as it is after the last of them, whole, so that entries that come again end in the same
 * state. An update that says only what changed (`$v: 2`) is applied here to the document as the target has it. A collection is
 * written in two commands, removals first; between commands of the oplog (`op: c`) everything before is written.
 */
export class MongodbReplayer implements Replayer {
  readonly #url: string;
  #context: ReplayerContext | undefined;
  #connecting: Promise<MongoConnection> | undefined;
  #foldSize = FOLD_MIN;
  #missing = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** Waits for nothing: an unreachable target is an error of `open`. @throws MongoConnectionError */
  async open(context: ReplayerContext): Promise<void> {
    this.#context = context;
    await this.#connection();
  }

  async apply(entries: readonly OplogEntry[], { signal }: ApplyContext): Promise<void> {
    const connection = await this.#connection();
    const target = new DocumentWriter(connection);
    let from = 0;
    while (from < entries.length) {
      const first = entries[from];
      if (first.op === 'c') {
        await this.#command(connection, first);
        from++;
        continue;
      }
      const size = this.#foldSize;
      let end = from;
      while (end < entries.length && end - from < size && entries[end].op !== 'c') end++;
      await this.#change(target, entries.slice(from, end), signal);
      from = end;
    }
  }

  async close(): Promise<void> {
    const connecting = this.#connecting;
    this.#connecting = undefined;
    await (await connecting)?.[Symbol.asyncDispose]();
  }

  #connection(): Promise<MongoConnection> {
    this.#connecting ??= connectMongo({ url: this.#url, connectMode: 'primary', purpose: 'target' });
    return this.#connecting;
  }

  async #command(connection: MongoConnection, entry: OplogEntry): Promise<void> {
    const { logger } = must(this.#context, 'a replayer is used before it is open');
    const commands = new TargetCommands(connection, (text) => logger.warn(text));
    await commandOf(entry, (command) => commands.run(command));
  }

  /** Applies changes of documents, each collection on its own. */
  async #change(target: DocumentWriter, entries: readonly OplogEntry[], signal: AbortSignal): Promise<void> {
    const collections = new Map<string, { name: CollectionName; changes: Change[] }>();
    for (const entry of entries) {
      const { op, ns, database, collection } = entry;
      if (op === 'n') continue;
      const of = collections.get(ns) ?? { name: { database, collection }, changes: [] };
      collections.set(ns, of);
      of.changes.push(changeOf(entry));
    }
    let foundBytes = 0;
    for (const { name, changes } of collections.values()) {
      foundBytes += await this.#changeAll(target, { name, changes }, signal);
    }
    if (foundBytes > FOUND_BYTES_MAX) this.#foldSize = Math.max(FOLD_MIN, Math.floor(this.#foldSize / 4));
    else this.#foldSize = Math.min(FOLD_MAX, this.#foldSize * 2);
    this.#sayMissing();
  }

  /** @returns the bytes of the documents that had to be known */
  async #changeAll(
    target: DocumentWriter,
    { name, changes }: { name: CollectionName; changes: readonly Change[] },
    signal: AbortSignal,
  ): Promise<number> {
    const missing = this.#missing;
    try {
      return await this.#inRuns(target, { name, changes }, signal);
    } catch (error) {
      const isDuplicate = error instanceof OplogueError && error.code === 'TARGET_DUPLICATE_KEY';
      if (!isDuplicate || changes.length === 1) throw error;
    }
    // Documents that exchange the values of a unique index cannot be brought to their last state in one step.
    this.#missing = missing;
    for (const change of changes) await this.#inRuns(target, { name, changes: [change] }, signal);
    return 0;
  }

  /** Updates by operators are left to the server; what is between them is folded. */
  async #inRuns(
    target: DocumentWriter,
    { name, changes }: { name: CollectionName; changes: readonly Change[] },
    signal: AbortSignal,
  ): Promise<number> {
    let bytes = 0;
    let from = 0;
    while (from < changes.length) {
      const isByOperators = changes[from].kind === 'operators';
      let end = from;
      while (end < changes.length && (changes[end].kind === 'operators') === isByOperators) end++;
      const run = changes.slice(from, end);
      if (isByOperators) {
        const updates = run.filter((change) => change.kind === 'operators');
        this.#missing += await target.update(name, updates, signal);
      } else {
        bytes += await this.#fold(target, { name, changes: run }, signal);
      }
      from = end;
    }
    return bytes;
  }

  async #fold(
    target: DocumentWriter,
    { name, changes }: { name: CollectionName; changes: readonly Change[] },
    signal: AbortSignal,
  ): Promise<number> {
    const fold = new CollectionFold();
    const ids = idsToFind(changes);
    const found = ids.length === 0 ? [] : await target.find(name, ids);
    for (const document of found) fold.found(document);
    for (const change of changes) if (change.kind !== 'operators') fold.apply(change);
    await target.remove(name, fold.removed, signal);
    await target.put(name, fold.put, signal);
    this.#missing += fold.missing;
    return found.reduce((sum, { length }) => sum + length, 0);
  }

  #sayMissing(): void {
    if (this.#missing === 0) return;
    must(this.#context, 'a replayer is used before it is open').logger.warn(
      { updates: this.#missing },
      'updates of documents that the target does not have were passed over: they are removed later on, or the target was not a copy of the source when it began',
    );
    this.#missing = 0;
  }
}
