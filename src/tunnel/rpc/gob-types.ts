import type { GobCursor } from './gob-cursor.ts';
import { GobError } from './gob-error.ts';

/** Ids of the types that every stream knows. */
export const GobTypeId = {
  bool: 1,
  int: 2,
  uint: 3,
  float: 4,
  bytes: 5,
  string: 6,
  complex: 7,
  interface: 8,
} as const;

export interface GobField {
  readonly name: string;
  readonly type: number;
}

/** A type that a stream has defined. */
export type GobType =
  | { readonly kind: 'struct'; readonly fields: readonly GobField[] }
  | { readonly kind: 'list'; readonly element: number }
  | { readonly kind: 'map'; readonly key: number; readonly element: number }
  /** Encodes itself: a byte string. */
  | { readonly kind: 'opaque' };

const TYPES_MAX = 128;
const FIELDS_MAX = 128;
const NAME_BYTES_MAX = 256;
const DEPTH_MAX = 32;

/** The types that one stream has defined, by their ids. Every sender chooses its own ids. */
export class GobTypes {
  readonly #types = new Map<number, GobType>();

  get(id: number): GobType | undefined {
    return this.#types.get(id);
  }

  /** The fields of a struct. @throws GobError when the type is none */
  fieldsOf(id: number): readonly GobField[] {
    const type = this.#types.get(id);
    if (type?.kind !== 'struct') throw new GobError(`type ${id} is no struct`);
    return type.fields;
  }

  /** Reads the definition of type `id`: Go's `wireType`, a struct of which one field is there. */
  define(id: number, cursor: GobCursor): void {
    if (id <= GobTypeId.interface || this.#types.has(id)) throw new GobError(`type ${id} is defined twice`);
    if (this.#types.size >= TYPES_MAX) throw new GobError('too many types');
    const variant = cursor.nextField(-1);
    const type = readDefinition(variant, cursor);
    if (cursor.nextField(variant ?? 0) !== undefined) throw new GobError('a type is defined as two');
    this.#types.set(id, type);
  }

  /** Moves over a value. */
  skip(id: number, cursor: GobCursor, depth = 0): void {
    if (depth > DEPTH_MAX) throw new GobError('types are nested too deeply');
    const type = this.#types.get(id);
    if (type === undefined) skipBasic(id, cursor);
    else if (type.kind === 'opaque') cursor.skipBytes();
    else if (type.kind === 'struct') this.#skipStruct(type.fields, cursor, depth);
    else {
      // Every element takes a byte at least, so the end of the message bounds this.
      for (let left = cursor.uint(); left > 0; left--) {
        if (type.kind === 'map') this.skip(type.key, cursor, depth + 1);
        this.skip(type.element, cursor, depth + 1);
      }
    }
  }

  #skipStruct(fields: readonly GobField[], cursor: GobCursor, depth: number): void {
    for (let i = cursor.nextField(-1); i !== undefined; i = cursor.nextField(i)) {
      if (i >= fields.length) throw new GobError('a struct has more fields than its type');
      this.skip(fields[i].type, cursor, depth + 1);
    }
  }
}

/** Fields of `wireType`: ArrayT, SliceT, StructT, MapT, and three kinds of types that encode themselves. */
function readDefinition(variant: number | undefined, cursor: GobCursor): GobType {
  switch (variant) {
    case 0:
      return { kind: 'list', element: readNumbers(cursor)[1] ?? 0 };
    case 1:
      return { kind: 'list', element: readNumbers(cursor)[1] ?? 0 };
    case 2:
      return { kind: 'struct', fields: readStruct(cursor) };
    case 3: {
      const numbers = readNumbers(cursor);
      return { kind: 'map', key: numbers[1] ?? 0, element: numbers[2] ?? 0 };
    }
    case 4:
    case 5:
    case 6:
      readNumbers(cursor);
      return { kind: 'opaque' };
    default:
      throw new GobError('a type definition of an unknown kind');
  }
}

/** The fields of a definition, of which the first is always the type's name and id, and the others are integers. */
function readNumbers(cursor: GobCursor): number[] {
  const numbers: number[] = [];
  for (let i = cursor.nextField(-1); i !== undefined; i = cursor.nextField(i)) {
    if (i > 2) throw new GobError('a type definition has too many fields');
    if (i === 0) skipCommon(cursor);
    else numbers[i] = cursor.int();
  }
  return numbers;
}

function readStruct(cursor: GobCursor): GobField[] {
  const fields: GobField[] = [];
  for (let i = cursor.nextField(-1); i !== undefined; i = cursor.nextField(i)) {
    if (i > 1) throw new GobError('a type definition has too many fields');
    if (i === 0) {
      skipCommon(cursor);
      continue;
    }
    const count = cursor.uint();
    if (count > FIELDS_MAX) throw new GobError('a struct with too many fields');
    for (let n = 0; n < count; n++) fields.push(readField(cursor));
  }
  return fields;
}

function readField(cursor: GobCursor): GobField {
  let name = '';
  let type = 0;
  for (let i = cursor.nextField(-1); i !== undefined; i = cursor.nextField(i)) {
    if (i === 0) name = cursor.text(NAME_BYTES_MAX);
    else if (i === 1) type = cursor.int();
    else throw new GobError('a field has too many properties');
  }
  return { name, type };
}

/** Name and id of a type. */
function skipCommon(cursor: GobCursor): void {
  for (let i = cursor.nextField(-1); i !== undefined; i = cursor.nextField(i)) {
    if (i === 0) cursor.text(NAME_BYTES_MAX);
    else if (i === 1) cursor.int();
    else throw new GobError('a type has too many properties');
  }
}

function skipBasic(id: number, cursor: GobCursor): void {
  switch (id) {
    case GobTypeId.bool:
    case GobTypeId.int:
    case GobTypeId.uint:
    case GobTypeId.float:
      cursor.uint64();
      return;
    case GobTypeId.bytes:
    case GobTypeId.string:
      cursor.skipBytes();
      return;
    case GobTypeId.complex:
      cursor.uint64();
      cursor.uint64();
      return;
    case GobTypeId.interface: {
      const start = cursor.skipBytes();
      if (cursor.at === start) return;
      cursor.int64();
      cursor.skipBytes();
      return;
    }
    default:
      throw new GobError(`type ${id} is not defined`);
  }
}
