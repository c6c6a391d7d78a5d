import { Binary, Long, ObjectId, serialize, Timestamp } from 'bson';

const ENTRIES = 4000;
const COLLECTION_ID = new Binary(Buffer.from('20d9f949cfc7496ea80e32ba633701a8', 'hex'), 4);
const SEED = 42;

/** mulberry32: the same numbers on every machine. */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function words(random, count) {
  const known = [
    'alpha',
    'bravo',
    'charlie',
    'delta',
    'echo',
    'foxtrot',
    'golf',
    'hotel',
    'india',
    'juliett',
  ];
  return Array.from({ length: count }, () => known[Math.floor(random() * known.length)]).join(' ');
}

function order(random, i) {
  return {
    _id: new ObjectId(Buffer.from(i.toString(16).padStart(24, '5'), 'hex')),
    customerId: Long.fromNumber(10_000_000_000 + Math.floor(random() * 1e9)),
    orderNumber: `ORD-2026-${String(i).padStart(8, '0')}`,
    status: ['new', 'paid', 'shipped', 'done'][i % 4],
    total: Math.round(random() * 100_000) / 100,
    quantity: Math.floor(random() * 100),
    createdAt: new Date(1_790_000_000_000 + Math.floor(random() * 1e9)),
    active: i % 2 === 0,
    note: words(random, 12),
    tags: ['retail', 'web', 'eu-west'],
    address: {
      street: `${i % 300} Main Street`,
      city: 'Springfield',
      zip: '12345',
      location: [random(), random() * 50],
    },
  };
}

function entry(random, i) {
  const common = {
    lsid: { id: COLLECTION_ID, uid: new Binary(Buffer.alloc(32, i), 0) },
    txnNumber: Long.fromNumber(i),
    ts: new Timestamp({ t: 1_790_000_000 + (i >> 8), i: i & 255 }),
    t: Long.fromNumber(3),
    v: Long.fromNumber(2),
    wall: new Date(1_790_000_000_000 + i),
    stmtId: 0,
    prevOpTime: { ts: new Timestamp({ t: 0, i: 0 }), t: Long.fromNumber(-1) },
  };
  const document = order(random, i);
  const kind = i % 20;
  const key = { _id: document._id };
  if (kind < 16) return { ...common, op: 'i', ns: 'shop.orders', ui: COLLECTION_ID, o: document, o2: key };
  if (kind < 19) {
    const diff = { u: { status: 'shipped', quantity: kind, changedAt: document.createdAt } };
    return { ...common, op: 'u', ns: 'shop.orders', ui: COLLECTION_ID, o: { $v: 2, diff }, o2: key };
  }
  return { ...common, op: 'd', ns: 'shop.orders', ui: COLLECTION_ID, o: key };
}

/** 80 % inserts, 15 % updates, 5 % deletes, as a retrying client writes them; several megabytes in one buffer. */
export function mixedEntries() {
  const random = randomNumbers(SEED);
  const entries = Array.from({ length: ENTRIES }, (_, i) => serialize(entry(random, i)));
  return { name: 'mixed', bytes: Buffer.concat(entries), entries: ENTRIES };
}

/** Inserts with one text of 8 KB, most of it plain ASCII. */
export function longStringEntries() {
  const random = randomNumbers(SEED);
  const entries = Array.from({ length: ENTRIES / 8 }, (_, i) => {
    const document = { ...order(random, i), body: `${words(random, 1200)}\n"Grüße"` };
    return serialize({ ...entry(random, 20), o: document });
  });
  return { name: 'long strings', bytes: Buffer.concat(entries), entries: entries.length };
}
