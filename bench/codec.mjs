/**
 * How fast entries become messages: `npm run build && node bench/codec.mjs [--json FILE] [--seconds N] [--workload NAME] [NAME…]`.
 * The workload is the mix that this project is measured on: 80 % inserts of about 450 bytes, 15 % $set updates,
 * 5 % deletes. Rates are of BSON input.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { deserialize, EJSON } from 'bson';
import { createEntryEncoder } from '../dist/message/create-entry-encoder.js';
import { RawMessageWriter } from '../dist/message/raw-message-writer.js';
import { EntryHeader, scanEntryHeader } from '../dist/oplog/entry-header.js';
import { ByteWriter } from '../dist/shared/byte-writer.js';
import { longStringEntries, mixedEntries } from './codec-entries.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    workload: { type: 'string', default: '' },
    seconds: { type: 'string', default: '1' },
  },
});
const ENTRIES_PER_MESSAGE = 256;

/** A case is a function that takes the buffer of entries once and returns how many bytes it made. */
function jsonCase(jsonFormat) {
  const encoder = createEntryEncoder({ message: 'json', jsonFormat, timeZone: 'UTC' });
  return encoderCase(encoder);
}

function encoderCase(encoder) {
  const header = new EntryHeader();
  const out = new ByteWriter();
  return (bytes) => {
    let made = 0;
    for (let at = 0; at < bytes.length;) {
      at = scanEntryHeader(header, bytes, at);
      out.length = 0;
      encoder.encode(header, out);
      made += out.length;
    }
    return made;
  };
}

function scanCase(bytes) {
  const header = scanCase.header;
  let made = 0;
  for (let at = 0; at < bytes.length;) {
    at = scanEntryHeader(header, bytes, at);
    made += header.seconds === 0 ? 0 : 1;
  }
  return made;
}
scanCase.header = new EntryHeader();

function rawCase(bytes) {
  const writer = new RawMessageWriter();
  const header = scanCase.header;
  const out = rawCase.out;
  out.length = 0;
  let logs = 0;
  for (let at = 0; at < bytes.length;) {
    if (logs === 0) writer.begin(out, { tag: 0x1000, shard: 0 });
    at = scanEntryHeader(header, bytes, at);
    writer.append(bytes, header.start, header.end);
    logs = (logs + 1) % ENTRIES_PER_MESSAGE;
    if (logs === 0) writer.finish();
  }
  if (logs !== 0) writer.finish();
  return out.length;
}
rawCase.out = new ByteWriter();

function objectsCase(toText) {
  return (bytes) => {
    let made = 0;
    for (let at = 0; at < bytes.length;) {
      const length = bytes.readInt32LE(at);
      const document = deserialize(bytes.subarray(at, at + length), { promoteValues: false });
      made += Buffer.from(toText(document)).length;
      at += length;
    }
    return made;
  };
}

const cases = {
  'header scan': scanCase,
  bson: encoderCase(createEntryEncoder({ message: 'bson', jsonFormat: '' })),
  'raw, no compression': rawCase,
  'json, default text': jsonCase(''),
  'json, canonical': jsonCase('canonical_extended_json'),
  'json, relaxed': jsonCase('relaxed_extended_json'),
  'json, plain': jsonCase('plain'),
  'package bson + JSON.stringify': objectsCase((document) => JSON.stringify(document)),
  'package bson + EJSON.stringify': objectsCase((document) => EJSON.stringify(document, { relaxed: false })),
};

function measure(run, bytes, seconds) {
  run(bytes);
  run(bytes);
  let best = Infinity;
  let made = 0;
  const end = performance.now() + seconds * 1000;
  do {
    const start = performance.now();
    made = run(bytes);
    best = Math.min(best, (performance.now() - start) / 1000);
  } while (performance.now() < end);
  return { seconds: best, made };
}

const results = [];
for (const workload of [mixedEntries(), longStringEntries()]) {
  if (!workload.name.includes(values.workload)) continue;
  const { name: workloadName, bytes, entries } = workload;
  console.log(`\n${workloadName}: ${entries} entries of ${Math.round(bytes.length / entries)} bytes`);
  for (const [name, run] of Object.entries(cases)) {
    if (positionals.length > 0 && !positionals.some((wanted) => name.includes(wanted))) continue;
    const { seconds, made } = measure(run, bytes, Number(values.seconds));
    const result = {
      workload: workloadName,
      name,
      mbPerSecond: bytes.length / seconds / 1e6,
      usPerEntry: (seconds * 1e6) / entries,
      outputBytesPerEntry: made / entries,
    };
    results.push(result);
    console.log(
      `${name.padEnd(32)} ${result.mbPerSecond.toFixed(0).padStart(7)} MB/s ` +
        `${result.usPerEntry.toFixed(2).padStart(8)} us/entry ${result.outputBytesPerEntry.toFixed(0).padStart(8)} B out`,
    );
  }
}
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ node: process.version, results }, null, 2)}\n`);
