import { randomBytes } from 'node:crypto';
import { MongoClient, type AnyBulkWriteOperation, type Collection } from 'mongodb';

export interface BacklogOptions {
  readonly url: string;
  readonly entries: number;
  readonly collections?: number;
  /** Length of the text that fills a document up; 250 gives entries of about 680 bytes on average. */
  readonly fillBytes?: number;
  /** Then all entries are inserts in transactions of so many. */
  readonly operationsPerTransaction?: number;
  /**
   * Whether inserts, updates and deletes alternate in the oplog, as applications write them. Else hundreds of a kind come together, which
   * mongod takes several times as fast.
   */
  readonly alternating?: boolean;
}

const BATCH = 2000;

/**
 * Fills the oplog with the mix that all figures are measured on: 80 % inserts of about 450 bytes, 15 % `$set` updates, 5 %
 * deletes, over a few collections; or with transactions of inserts. Returns the number of operations written.
 */
export async function prepareBacklog(options: BacklogOptions): Promise<number> {
  const client = await MongoClient.connect(options.url);
  try {
    const collections = options.collections ?? 4;
    const fill = fillerOf(options.fillBytes ?? 250);
    const most = options.operationsPerTransaction ?? BATCH;
    let written = 0;
    for (let batch = 0; written < options.entries; batch++) {
      const size = Math.min(most, options.entries - written);
      const collection = client.db('bench').collection<Order>(`orders${batch % collections}`);
      if (options.operationsPerTransaction === undefined) {
        await collection.bulkWrite(operationsOf(batch, { size, fill }), {
          ordered: options.alternating ?? true,
        });
      } else {
        await insertTogether(client, collection, ordersOf(batch, { size, fill }));
      }
      written += size;
    }
    return written;
  } finally {
    await client.close();
  }
}

/** The document of the workload: an order as a shop has it. */
interface Order {
  readonly _id: string;
  readonly [field: string]: unknown;
}

/** Operations that each change exactly one document, so that each makes exactly one entry. */
function operationsOf(
  batch: number,
  options: { size: number; fill: string },
): AnyBulkWriteOperation<Order>[] {
  const operations: AnyBulkWriteOperation<Order>[] = [];
  const ids: string[] = [];
  for (let i = 0; i < options.size; i++) {
    const kind = i % 20;
    if (kind < 16 || ids.length === 0) {
      const _id = `${batch}-${i}-${Math.random().toString(36).slice(2, 10)}`;
      ids.push(_id);
      operations.push({ insertOne: { document: orderOf(_id, batch * BATCH + i, options.fill) } });
    } else if (kind < 19) {
      const filter = { _id: ids[(i * 7) % ids.length] ?? '' };
      const update = { $set: { status: `paid-${batch}-${i}`, 'totals.paid': i * 1.25, at: new Date() } };
      operations.push({ updateOne: { filter, update } });
    } else {
      operations.push({ deleteOne: { filter: { _id: ids.shift() ?? '' } } });
    }
  }
  return operations;
}

async function insertTogether(
  client: MongoClient,
  collection: Collection<Order>,
  orders: Order[],
): Promise<void> {
  await client.withSession((session) =>
    session.withTransaction(() => collection.insertMany(orders, { session })),
  );
}

function ordersOf(batch: number, { size, fill }: { size: number; fill: string }): Order[] {
  return Array.from({ length: size }, (_, i) => orderOf(`${batch}-${i}`, batch * size + i, fill));
}

function orderOf(_id: string, n: number, fill: string): Order {
  return {
    _id,
    customer: `customer-${n % 5000}`,
    status: 'new',
    at: new Date(),
    totals: { net: n * 1.1, tax: n * 0.19, paid: 0, items: n % 7 },
    lines: [
      { sku: `sku-${n % 1000}`, quantity: 1 + (n % 3), price: 19.99 },
      { sku: `sku-${(n * 3) % 1000}`, quantity: 2, price: 5 },
    ],
    address: { street: 'Hauptstraße 5', city: 'Köln', zip: '50667' },
    note: fill,
    active: true,
    ref: null,
  };
}

function fillerOf(bytes: number): string {
  return randomBytes(bytes)
    .toString('base64')
    .slice(0, Math.max(0, bytes - 200));
}
