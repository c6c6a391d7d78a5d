import type { AnyBulkWriteOperation, Collection, MongoClient } from 'mongodb';
import { sleep } from '../src/shared/sleep.ts';
import type { DeliveryCheck, WriteMark } from './delivery-check.ts';

interface ShopDocument {
  _id: string;
  revision: number;
  [field: string]: unknown;
}

type Kind = 'orders' | 'users' | 'payments';

const prefixes: Record<Kind, string> = { orders: 'ord', users: 'usr', payments: 'pay' };
const tickMs = 50;
/** A writer that was held up catches up so much at most, or it would come as one huge burst. */
const catchUpMsMax = 200;
/** Documents that are updated and deleted; older ones are left alone. */
const livingMax = 20_000;
const transactionEveryMs = 1_000;
/** Parts of 100: the rest are updates. */
const insertPercent = 70;
const deletePercent = 4;

interface Planned {
  readonly kind: Kind;
  readonly mark: WriteMark;
  readonly operation: AnyBulkWriteOperation<ShopDocument>;
}

/** A small shop: orders come in, users change their profile, payments follow, some orders are cancelled. */
export class Workload {
  readonly #client: MongoClient;
  readonly #database: string;
  readonly #check: DeliveryCheck;
  readonly #living: { kind: Kind; id: string; revision: number }[] = [];
  #serial = 0;
  #nextTransactionAt = 0;

  constructor(options: { client: MongoClient; database: string; check: DeliveryCheck }) {
    this.#client = options.client;
    this.#database = options.database;
    this.#check = options.check;
  }

  /** Writes `rate` operations a second until the signal aborts. @throws the driver's error when a write fails */
  async run(rate: number, signal: AbortSignal): Promise<void> {
    const burstMax = (rate * catchUpMsMax) / 1000;
    const startedAt = performance.now();
    for (let done = 0; !signal.aborted;) {
      const due = ((performance.now() - startedAt) / 1000) * rate;
      done = Math.max(done, due - burstMax);
      const count = Math.floor(due - done);
      if (count > 0) await this.#writeBatch(count);
      done += count;
      if (performance.now() >= this.#nextTransactionAt) {
        await this.#payInTransaction();
        this.#nextTransactionAt = performance.now() + transactionEveryMs;
      }
      await sleep(tickMs, signal);
    }
  }

  #collection(kind: Kind): Collection<ShopDocument> {
    return this.#client.db(this.#database).collection<ShopDocument>(kind);
  }

  async #writeBatch(count: number): Promise<void> {
    const planned = Array.from({ length: count }, () => this.#plan());
    await Promise.all(
      (['orders', 'users', 'payments'] as const).map(async (kind) => {
        const mine = planned.filter((it) => it.kind === kind);
        if (mine.length === 0) return;
        for (const { mark } of mine) this.#check.wrote(mark);
        try {
          // Unordered, the driver sends all inserts, then all updates, then all deletes, which keeps each document's
          // own order here; ordered, it would send a command for each change of kind.
          await this.#collection(kind).bulkWrite(
            mine.map((it) => it.operation),
            { ordered: false },
          );
        } catch (error) {
          for (const { mark } of mine) this.#check.withdrew(mark);
          throw error;
        }
      }),
    );
  }

  #plan(): Planned {
    const dice = Math.random() * 100;
    if (dice < insertPercent || this.#living.length === 0) return this.#planInsert(pickKind());
    const index = Math.floor(Math.random() * this.#living.length);
    const living = this.#living[index] ?? { kind: 'orders', id: '', revision: 0 };
    const { kind, id } = living;
    if (dice < insertPercent + deletePercent) {
      this.#living.splice(index, 1);
      return { kind, mark: { op: 'd', id, revision: 0 }, operation: { deleteOne: { filter: { _id: id } } } };
    }
    living.revision += 1;
    const { revision } = living;
    const $set = {
      revision,
      status: pick(['packed', 'shipped', 'delivered', 'returned']),
      changedAt: new Date(),
    };
    return {
      kind,
      mark: { op: 'u', id, revision },
      operation: { updateOne: { filter: { _id: id }, update: { $set } } },
    };
  }

  #planInsert(kind: Kind): Planned {
    const document = this.#newDocument(kind);
    if (this.#living.length >= livingMax) this.#living.splice(Math.floor(Math.random() * livingMax), 1);
    this.#living.push({ kind, id: document._id, revision: 0 });
    return { kind, mark: { op: 'i', id: document._id, revision: 0 }, operation: { insertOne: { document } } };
  }

  /** An order and its payment appear together or not at all. */
  async #payInTransaction(): Promise<void> {
    const order = this.#newDocument('orders');
    const payment = { ...this.#newDocument('payments'), order: order._id };
    const marks = [order, payment].map(({ _id }): WriteMark => ({ op: 'i', id: _id, revision: 0 }));
    for (const mark of marks) this.#check.wrote(mark);
    const session = this.#client.startSession();
    try {
      await session.withTransaction(async () => {
        await this.#collection('orders').insertOne(order, { session });
        await this.#collection('payments').insertOne(payment, { session });
      });
    } catch (error) {
      for (const mark of marks) this.#check.withdrew(mark);
      throw error;
    } finally {
      await session.endSession();
    }
  }

  #newDocument(kind: Kind): ShopDocument {
    this.#serial += 1;
    const _id = `${prefixes[kind]}-${String(this.#serial).padStart(8, '0')}`;
    return { _id, revision: 0, createdAt: new Date(), ...details[kind]() };
  }
}

const details: Record<Kind, () => Record<string, unknown>> = {
  orders: () => ({
    customer: pick(['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan', 'Radia']),
    status: 'new',
    items: Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () => ({
      sku: `SKU-${Math.floor(Math.random() * 10_000)}`,
      quantity: 1 + Math.floor(Math.random() * 5),
      price: Math.round(Math.random() * 20_000) / 100,
    })),
    address: { city: pick(['Lyon', 'Kraków', 'Oslo', 'München', 'Quito']), zip: '10115' },
    note: 'leave it with the neighbours if nobody is at home',
  }),
  users: () => ({
    name: pick(['Ada L.', 'Grace H.', 'Edsger D.']),
    email: 'someone@example.com',
    tags: ['web', 'newsletter'],
    score: Math.random() * 100,
  }),
  payments: () => ({
    method: pick(['card', 'invoice', 'transfer']),
    amount: Math.round(Math.random() * 50_000) / 100,
    currency: pick(['EUR', 'JPY', 'PLN']),
    approved: true,
  }),
};

function pickKind(): Kind {
  return pick(['orders', 'orders', 'orders', 'users', 'payments']);
}

function pick<T>(from: readonly [T, ...T[]]): T {
  return from[Math.floor(Math.random() * from.length)] ?? from[0];
}
