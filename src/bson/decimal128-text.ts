const EXPONENT_BIAS = 6176n;
/** Adjusted exponents below this one are written with E (specification of BSON Decimal128, "to string"). */
const PLAIN_ADJUSTED_MIN = -6;

/**
 * The text of the IEEE 754-2008 decimal (binary integer form) at `at`, by the BSON Decimal128 specification:
 * `1.500`, `1E+3`, `-0`, `NaN`, `-Infinity`. Forms with an out-of-range coefficient count as zero.
 */
export function decimal128Text(bytes: Uint8Array, at: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 16);
  const low = view.getBigUint64(0, true);
  const high = view.getBigUint64(8, true);
  const sign = high >> 63n === 1n ? '-' : '';
  const special = (high >> 58n) & 0x1fn;
  if (special === 0x1fn) return 'NaN';
  if (special === 0x1en) return `${sign}Infinity`;
  const outOfRange = ((high >> 61n) & 3n) === 3n;
  const exponentBits = outOfRange ? high >> 47n : high >> 49n;
  const exponent = Number((exponentBits & 0x3fffn) - EXPONENT_BIAS);
  const coefficient = outOfRange ? 0n : ((high & 0x1_ffff_ffff_ffffn) << 64n) | low;
  return sign + finiteText(coefficient.toString(), exponent);
}

function finiteText(digits: string, exponent: number): string {
  const adjusted = exponent + digits.length - 1;
  if (exponent > 0 || adjusted < PLAIN_ADJUSTED_MIN) {
    const mantissa = digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`;
    return `${mantissa}E${adjusted < 0 ? '' : '+'}${adjusted}`;
  }
  if (exponent === 0) return digits;
  const padded = digits.padStart(1 - exponent, '0');
  return `${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}
