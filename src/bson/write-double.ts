import { ascii, putAscii, putAsciiString } from './ascii.ts';
import { putTwoDigits, putUnsigned } from './write-integer.ts';

const scratchDouble = new Float64Array(1);
const scratchBytes = new Uint8Array(scratchDouble.buffer);

const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const MINUS_ZERO = ascii('-0');
/** A decimal with up to six places and fewer than 15 digits is the shortest text of its double. */
const DECIMAL_SCALE = 1e6;
const DECIMAL_MAX = 1e9;
/** Go's %G: exponents outside [-4, 6) are written with E. */
const CANONICAL_PLAIN_MIN = 1e-4;
const CANONICAL_PLAIN_MAX = 1e6;

/** The little-endian double at `at`. */
export function readDouble(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) scratchBytes[i] = bytes[at + i];
  return scratchDouble[0];
}

/**
 * Writes a finite double as ECMAScript's Number-to-string does, which is also Go's encoding/json, except that
 * minus zero is `-0`. @returns the offset after it.
 */
export function putJsonDouble(target: Buffer, at: number, value: number): number {
  if (value === 0)
    return Object.is(value, -0) ? putAscii(target, at, MINUS_ZERO) : putUnsigned(target, at, 0);
  let to = at;
  let size = value;
  if (value < 0) {
    target[to++] = MINUS;
    size = -value;
  }
  if (size < DECIMAL_MAX) {
    const scaled = Math.round(size * DECIMAL_SCALE);
    if (scaled / DECIMAL_SCALE === size) return putScaled(target, to, scaled);
  } else if (size <= Number.MAX_SAFE_INTEGER && Math.floor(size) === size) {
    return putUnsigned(target, to, size);
  }
  return putAsciiString(target, to, String(size));
}

/**
 * Writes a double as the MongoDB Go driver 1.9 does in canonical Extended JSON, which is not what
 * MongoDB's own `EJSON` writes: `1.0`, `999999.5`, `1E+06`, `1.5E-05`, `-0.0`, `NaN`, `Infinity`.
 * @returns the offset after it.
 */
export function putCanonicalDouble(target: Buffer, at: number, value: number): number {
  if (!Number.isFinite(value)) return putAsciiString(target, at, String(value));
  let to = at;
  let size = value;
  if (value < 0 || Object.is(value, -0)) {
    target[to++] = MINUS;
    size = -value;
  }
  if (size === 0 || (size >= CANONICAL_PLAIN_MIN && size < CANONICAL_PLAIN_MAX)) {
    const scaled = Math.round(size * DECIMAL_SCALE);
    const end =
      scaled / DECIMAL_SCALE === size
        ? putScaled(target, to, scaled)
        : putAsciiString(target, to, String(size));
    if (Math.floor(size) !== size) return end;
    target[end] = DOT;
    target[end + 1] = ZERO;
    return end + 2;
  }
  return putExponential(target, to, size);
}

/** Writes `scaled / 10^6` without trailing zeros. */
function putScaled(target: Buffer, at: number, scaled: number): number {
  const whole = Math.floor(scaled / DECIMAL_SCALE);
  let fraction = (scaled - whole * DECIMAL_SCALE) | 0;
  let to = putUnsigned(target, at, whole);
  if (fraction === 0) return to;
  target[to++] = DOT;
  while (fraction !== 0) {
    const pair = (fraction / 10_000) | 0;
    to = putTwoDigits(target, to, pair);
    fraction = (fraction - pair * 10_000) * 100;
  }
  return target[to - 1] === ZERO ? to - 1 : to;
}

/** `d[.ddd]E±xx` with at least two digits of exponent. */
function putExponential(target: Buffer, at: number, size: number): number {
  const text = size.toExponential();
  const e = text.indexOf('e');
  const exponent = text.slice(e + 2).padStart(2, '0');
  return putAsciiString(target, at, `${text.slice(0, e)}E${text[e + 1]}${exponent}`);
}
