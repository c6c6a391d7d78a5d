import { Binary, Long, serialize, Timestamp, type Document } from 'bson';
import { expect, test } from 'vitest';
import { EntryHeader, scanEntryHeader } from '../oplog/entry-header.ts';
import { classifyEntry } from '../oplog/entry-kind.ts';
import { formatPosition, positionOf } from '../oplog/position.ts';
import { silentLogger } from '../shared/logger.ts';
import { MemoryBudget } from '../shared/memory-budget.ts';
import type { ChangeSource } from '../source/change-source.ts';
import { PositionLostError } from '../source/position-lost-error.ts';
import { OpenTransactions } from './open-transactions.ts';

const never = new AbortController().signal;
const first = positionOf(100, 1);
const committed = positionOf(150, 1);
const oldest = positionOf(120, 1);

/** An oplog that no longer holds what is asked for. */
const rolled: ChangeSource = {
  name: 'rs0',
  open: () => Promise.resolve(),
  window: () => Promise.resolve({ oldest, newest: committed }),
  read: () => emptyBatches(),
  fetch: ([position]) => lostAt(position ?? 0n),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

async function* emptyBatches(): AsyncGenerator<never, void, void> {}

function lostAt(position: bigint): AsyncIterable<never> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.reject(new PositionLostError({ source: 'rs0', from: position, to: oldest })),
    }),
  };
}

/** The last part of a transaction whose first part stood at `first`. */
function lastPart(): EntryHeader {
  const document: Document = {
    lsid: { id: new Binary(Buffer.alloc(16, 7), 4) },
    txnNumber: Long.ONE,
    op: 'c',
    ns: 'admin.$cmd',
    o: { applyOps: [], count: Long.fromNumber(2) },
    ts: new Timestamp({ t: 150, i: 1 }),
    prevOpTime: { ts: new Timestamp({ t: 100, i: 1 }), t: Long.ONE },
  };
  const header = new EntryHeader();
  scanEntryHeader(header, Buffer.from(serialize(document)), 0);
  return header;
}

function transactions(mayBeginInside: boolean): { opened: OpenTransactions; warnings: string[] } {
  const warnings: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (text: object | string) => void warnings.push(JSON.stringify(text)),
  };
  const budget = new MemoryBudget(1024 * 1024);
  const options = { source: rolled, budget, version: 'parent', logger, mayBeginInside } as const;
  return { opened: new OpenTransactions(options), warnings };
}

async function partsOf(opened: OpenTransactions): Promise<number> {
  const header = lastPart();
  let parts = 0;
  for await (const part of opened.parts(header, classifyEntry(header), never)) if (part.last) parts++;
  return parts;
}

test('I7: a transaction committed after the checkpoint whose beginning has left the oplog stops the collector, which names both', async () => {
  const { opened, warnings } = transactions(false);
  const failure = await partsOf(opened).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: 'POSITION_LOST',
    retry: 'fatal',
    message: expect.stringContaining(formatPosition(oldest)),
    hint: expect.stringContaining(
      `committed at ${formatPosition(committed)} has operations from ${formatPosition(first)} on`,
    ),
  });
  expect(warnings).toEqual([]);
});

test('where a person has chosen the beginning, a warning names what is gone and the rest is carried', async () => {
  const { opened, warnings } = transactions(true);
  await partsOf(opened);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(`its operations up to ${formatPosition(first)} are gone`);
});
