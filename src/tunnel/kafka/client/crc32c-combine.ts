/** The polynomial of CRC-32C, reflected. */
const POLYNOMIAL = 0x82f63b78;
/** x^0: the highest bit, because polynomials are reflected. */
const ONE = 0x8000_0000;
/** x^(2^n) modulo the polynomial. */
const powers = powersOfX();

/**
 * CRC-32C of two runs of bytes, one behind the other, of which only the checksums are known and the length of the second one.
 * Appending n bytes to a message multiplies its polynomial by x^(8n) (Mark Adler's crc32_combine in zlib).
 */
export function crc32cCombine(first: number, second: number, secondBytes: number): number {
  let factor = ONE;
  // x^8 is the power of 2^3.
  for (let rest = secondBytes, n = 3; rest > 0; rest = Math.floor(rest / 2), n++) {
    if (rest % 2 === 1) factor = multiply(powers[n % powers.length], factor);
  }
  return (multiply(factor, first) ^ second) >>> 0;
}

/** The product of two polynomials modulo the polynomial of the checksum. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= shifted;
    shifted = (shifted & 1) === 0 ? shifted >>> 1 : (shifted >>> 1) ^ POLYNOMIAL;
  }
  return product >>> 0;
}

function powersOfX(): readonly number[] {
  const table = [ONE >>> 1];
  for (let n = 1; n < 32; n++) table.push(multiply(table[n - 1], table[n - 1]));
  return table;
}
