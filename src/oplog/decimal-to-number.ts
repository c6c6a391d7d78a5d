/** Exponent bias of decimal128 (IEEE 754-2008, binary integer significand). */
const BIAS = 6176;
const COEFFICIENT_BITS = 113n;
/** 34 digits; a larger significand counts as 0 in the standard. */
const COEFFICIENT_MAX = 10n ** 34n - 1n;

/**
 * The double nearest to the decimal128 at `at`: equal decimals give equal doubles, whatever their exponents.
 * Allocates; decimals as keys are rare.
 */
export function decimalToNumber(bytes: Buffer, at: number): number {
  const high = bytes.readBigUInt64LE(at + 8);
  const negative = high >> 63n === 1n;
  const combination = Number((high >> 58n) & 31n);
  if (combination === 31) return Number.NaN;
  if (combination === 30) return negative ? -Infinity : Infinity;
  // Significands that begin with binary 11 are above 34 digits, hence not canonical: zero.
  if (combination >= 24) return 0;
  const exponent = Number((high >> 49n) & 0x3fffn) - BIAS;
  const coefficient = ((high << 64n) | bytes.readBigUInt64LE(at)) & ((1n << COEFFICIENT_BITS) - 1n);
  if (coefficient > COEFFICIENT_MAX) return 0;
  const value = Number(`${coefficient}e${exponent}`);
  return negative ? -value : value;
}
