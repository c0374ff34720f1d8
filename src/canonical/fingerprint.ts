// CRC-64-AVRO: the Rabin fingerprint that Avro's single-object encoding names a schema by.
// Guarantees: equal to the specification's for any Parsing Canonical Form.
// https://avro.apache.org/docs/1.11.1/specification/#schema-fingerprints

const EMPTY = 0xc15d213aa4d7a795n;

const table = Array.from({ length: 256 }, (_, index) => {
  let value = BigInt(index);
  for (let bit = 0; bit < 8; bit += 1) value = (value >> 1n) ^ (value & 1n ? EMPTY : 0n);
  return value;
});

/** The fingerprint of a Parsing Canonical Form's UTF-8 bytes, unsigned. */
export function crc64Avro(canonicalForm: string): bigint {
  let value = EMPTY;
  for (const byte of Buffer.from(canonicalForm, 'utf8')) {
    value = (value >> 8n) ^ (table[Number((value ^ BigInt(byte)) & 0xffn)] ?? 0n);
  }
  return value;
}

/** As messages write it: 16 hexadecimal digits. */
export function formatFingerprint(fingerprint: bigint): string {
  return fingerprint.toString(16).padStart(16, '0');
}
