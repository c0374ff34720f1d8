// Deterministic data: a small seeded generator (mulberry32), and the CRM's kinds of values made from it.
// The same seed gives the same values on every machine.

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number in [0, below). */
  below(below: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  uuid(): string;
  /** Hex digits for bytea. */
  hex(bytes: number): string;
  /** `length` characters that do not compress, so that more than 8 kB of them go to TOAST. */
  noise(length: number): string;
  /** A moment of 2024 or 2025 in UTC, without a zone, with microseconds. */
  moment(): string;
  date(fromYear: number, years: number): string;
  word(): string;
}

const noisePool = 65_536;
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
// Blanks, case, accents, wide characters and quotes: what a careless path between two databases changes.
const words = [
  'Acme',
  'acme',
  'Zürich',
  'Łódź',
  'naïve',
  "O'Hara",
  'a"b',
  '東京',
  '🚀 rocket',
  'ﬁnance',
  'two\tcells',
  'two\nlines',
  'trailing ',
  'C:\\temp',
  '%_[x]',
  '',
  'north',
  'delta',
  'prime',
  'works',
  'supply',
  'metal',
  'cloud',
  'ocean',
  'solar',
  'river',
];

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  let pool = '';
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  const pick = <T>(from: readonly T[]) => from[below(from.length)] as T;
  const hex = (bytes: number) =>
    Array.from({ length: bytes }, () => below(256).toString(16).padStart(2, '0')).join('');
  const date = (fromYear: number, years: number) =>
    new Date(Date.UTC(fromYear, 0, 1 + below(years * 365))).toISOString().slice(0, 10);
  return {
    next,
    below,
    pick,
    hex,
    date,
    chance: (probability) => next() < probability,
    uuid: () => hex(16).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5'),
    noise(length) {
      pool ||= Array.from({ length: noisePool }, () => pick(letters as unknown as string[])).join('');
      const start = below(noisePool - length);
      return pool.slice(start, start + length);
    },
    moment: () => {
      const time = [below(24), below(60), below(60)].map((part) => String(part).padStart(2, '0')).join(':');
      return `${date(2024, 2)} ${time}.${String(below(1_000_000)).padStart(6, '0')}`;
    },
    word: () => pick(words),
  };
}

/** `units` ten-thousandths as PostgreSQL's numeric with four decimals. */
export function fourDecimals(units: number): string {
  const sign = units < 0 ? '-' : '';
  const digits = String(Math.abs(units)).padStart(5, '0');
  return `${sign}${digits.slice(0, -4)}.${digits.slice(-4)}`;
}
