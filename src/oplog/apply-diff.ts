import { BsonType } from '../bson/bson-type.ts';
import { fieldsOf, type Field, type Place } from '../bson/fields-of.ts';
import { readInt32 } from '../bson/read-value.ts';
import { ByteWriter } from '../shared/byte-writer.ts';
import { DiffError } from './diff-error.ts';

/** Of an object: what becomes of a field. `undefined` in `value` and `diff`: it goes. */
interface Change {
  readonly value?: Field;
  readonly diff?: Field;
  /** A value that goes to the end even where the field is there already. */
  readonly isMoved?: true;
}

/** The server's own limit for elements that are made up to fill an array. */
const PADDING_MAX = 1_500_000;
const DEPTH_MAX = 250;
const EMPTY_DOCUMENT_BYTES = 5;

/**
 * Applies the `diff` of a `$v: 2` update, as servers from 5.0 on write them, to the BSON of a document. As the server does it when it
 * repeats its own oplog (`document_diff_applier.cpp`): `d` removes fields, `u` replaces them in their place, `i` adds them at the
 * end, `s<field>` goes into an object or array; of an array `l` is the new length, `u<index>` and `s<index>` are elements. What
 * does not fit, because the document is further on already, is passed over: a later entry brings it right.
 * @param document bytes of one document
 * @param diff bytes of the document `o.diff`
 * @returns the new document
 * @throws DiffError for parts that are not known, MalformedBsonError
 */
export function applyDiff(document: Buffer, diff: Buffer): Buffer {
  const out = new ByteWriter(document.length + diff.length + EMPTY_DOCUMENT_BYTES);
  applyToObject(out, { bytes: document, at: 0 }, { bytes: diff, at: 0 }, 0);
  return Buffer.from(out.view());
}

function applyToObject(out: ByteWriter, before: Place, diff: Place, depth: number): void {
  const { changes, values } = readObjectDiff(diff, depth);
  const written = new Set<string>();
  const startAt = begin(out);
  for (const field of fieldsOf(before)) {
    const change = changes.get(field.name);
    if (change === undefined) {
      out.append(field.bytes, field.at, field.end);
    } else if (change.diff !== undefined) {
      applyWithin(out, { field, name: field.name }, change.diff, depth);
    } else if (change.value !== undefined && change.isMoved === undefined) {
      appendAs(out, change.value, field.name);
      written.add(field.name);
    }
  }
  for (const { name, field } of values) if (!written.has(name)) appendAs(out, field, name);
  finish(out, startAt);
}

function readObjectDiff(
  diff: Place,
  depth: number,
): { changes: Map<string, Change>; values: Array<{ name: string; field: Field }> } {
  if (depth > DEPTH_MAX) throw new DiffError('it is nested too deeply');
  const changes = new Map<string, Change>();
  const values: Array<{ name: string; field: Field }> = [];
  for (const section of fieldsOf(diff)) {
    if (section.type !== BsonType.document) throw new DiffError(`the part ${section.name} is no document`);
    if (section.name.startsWith('s')) {
      changes.set(section.name.slice(1), { diff: section });
      continue;
    }
    if (!SECTIONS.has(section.name)) throw new DiffError(`it has a part ${section.name}`);
    for (const field of fieldsOf(placeOf(section))) {
      const { name } = field;
      if (section.name === 'd') changes.set(name, {});
      else changes.set(name, { value: field, ...(section.name === 'i' ? { isMoved: true } : {}) });
      if (section.name !== 'd') values.push({ name, field });
    }
  }
  return { changes, values };
}

const SECTIONS: ReadonlySet<string> = new Set(['d', 'u', 'i']);

/** Goes into a field or an element; one of another kind is left as it is. */
function applyWithin(
  out: ByteWriter,
  { field, name }: { field: Field; name: string },
  diff: Field,
  depth: number,
): void {
  const isArrayDiff = isOfArray(diff);
  const wanted = isArrayDiff ? BsonType.array : BsonType.document;
  if (field.type !== wanted) {
    appendAs(out, field, name);
    return;
  }
  appendHead(out, field.type, name);
  if (isArrayDiff) applyToArray(out, placeOf(field), placeOf(diff), depth + 1);
  else applyToObject(out, placeOf(field), placeOf(diff), depth + 1);
}

/** The diff of an array begins with `a: true`. */
function isOfArray({ bytes, valueAt }: Field): boolean {
  return (
    bytes[valueAt + 4] === BsonType.boolean && bytes[valueAt + 5] === LETTER_A && bytes[valueAt + 6] === 0
  );
}

const LETTER_A = 0x61;

function applyToArray(out: ByteWriter, before: Place, diff: Place, depth: number): void {
  const { changes, length, end } = readArrayDiff(diff, depth);
  const startAt = begin(out);
  let index = 0;
  for (const field of fieldsOf(before)) {
    if (index >= length) break;
    const name = String(index);
    const change = changes.get(index);
    if (change === undefined) appendAs(out, field, name);
    else if (change.diff !== undefined) applyWithin(out, { field, name }, change.diff, depth);
    else if (change.value !== undefined) appendAs(out, change.value, name);
    index++;
  }
  const upTo = Math.max(end, Number.isFinite(length) ? length : 0);
  if (upTo - index > PADDING_MAX) throw new DiffError(`it makes an array of ${upTo} elements`);
  for (; index < upTo; index++) {
    const value = changes.get(index)?.value;
    // As in the server: what is missing before it is null.
    if (value === undefined) appendHead(out, BsonType.null, String(index));
    else appendAs(out, value, String(index));
  }
  finish(out, startAt);
}

/** @returns changes by index, the length to cut to (Infinity: none), and the highest index + 1 */
function readArrayDiff(
  diff: Place,
  depth: number,
): { changes: Map<number, Change>; length: number; end: number } {
  if (depth > DEPTH_MAX) throw new DiffError('it is nested too deeply');
  const changes = new Map<number, Change>();
  let length = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const field of fieldsOf(diff)) {
    const { name, type } = field;
    if (name === 'a') continue;
    if (name === 'l') {
      length = integerOf(field);
      continue;
    }
    const index = Number(name.slice(1));
    const isKnown = /^[us]\d{1,7}$/.test(name) && (name.startsWith('u') || type === BsonType.document);
    if (!isKnown) throw new DiffError(`the part of an array has a part ${name}`);
    changes.set(index, name.startsWith('u') ? { value: field } : { diff: field });
    end = Math.max(end, index + 1);
  }
  return { changes, length, end };
}

function integerOf({ bytes, type, valueAt, name }: Field): number {
  if (type === BsonType.int32) return readInt32(bytes, valueAt);
  if (type === BsonType.int64) return Number(bytes.readBigInt64LE(valueAt));
  throw new DiffError(`the part ${name} is no number`);
}

function placeOf({ bytes, valueAt }: Field): Place {
  return { bytes, at: valueAt };
}

function appendHead(out: ByteWriter, type: number, name: string): void {
  out.ensure(name.length + 2);
  out.bytes[out.length] = type;
  out.bytes.write(name, out.length + 1, 'latin1');
  out.length += name.length + 2;
  out.bytes[out.length - 1] = 0;
}

function appendAs(out: ByteWriter, { bytes, type, valueAt, end }: Field, name: string): void {
  appendHead(out, type, name);
  out.append(bytes, valueAt, end);
}

function begin(out: ByteWriter): number {
  const startAt = out.length;
  out.ensure(4);
  out.length += 4;
  return startAt;
}

function finish(out: ByteWriter, startAt: number): void {
  out.ensure(1);
  out.bytes[out.length++] = 0;
  out.bytes.writeInt32LE(out.length - startAt, startAt);
}
