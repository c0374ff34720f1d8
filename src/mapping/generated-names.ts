// How names of the source become names of files, of Avro and of the warehouse's columns.
// Guarantees: valid where each is used, and unique there; a source's own name wherever that is possible.
// https://avro.apache.org/docs/1.11.1/specification/#names

/** As file systems and the warehouse's default collation compare names: without case and width. */
export function folded(name: string): string {
  return name.normalize('NFKC').toUpperCase();
}

/** The mapping's file, without its ending. */
export function fileStem(name: string): string {
  return name.replace(/[^\p{L}\p{N}_-]/gu, '_');
}

/** An Avro name near the given one, and new in `taken`. */
export function avroName(name: string, taken: Set<string>): string {
  const word = name.replace(/\W/g, '_');
  // `constructor` and the like: every object has them, so that a field of that name could not be told from an absent one.
  const base = word in Object.prototype ? `${word}_column` : /^[A-Za-z_]/.test(word) ? word : `_${word}`;
  return free(base, (candidate) => candidate, taken);
}

/** Nothing that SQL Server or a report's formula would trip over: letters, digits, and single signs between them. */
const PLAIN = /^[\p{L}\p{N}_][\p{L}\p{N}_$#@]*(?:[ .-][\p{L}\p{N}_$#@]+)*$/u;

/** The warehouse's column: named like the source's where that is plain, else like the field; new in `taken`, whatever the case. */
export function columnName(name: string, field: string, taken: Set<string>): string {
  // `constructor` and the like are what readers in JavaScript trip over.
  const isPlain = PLAIN.test(name) && [...name].length === name.length && !(name in Object.prototype);
  return free(isPlain ? name : field, folded, taken);
}

function free(base: string, compared: (name: string) => string, taken: Set<string>): string {
  let unique = base;
  for (let count = 2; taken.has(compared(unique)); count += 1) unique = `${base}_${count}`;
  taken.add(compared(unique));
  return unique;
}
