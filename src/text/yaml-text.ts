// A YAML file with its places: every value and key can be pointed at by line and column.
// Guarantees: integers keep all their digits (BigInt); decimals that a double would round are findings.
import { isMap, isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml';

export type YamlPath = readonly (string | number)[];

export interface Place {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** Who is told what is no YAML, or would lose digits. */
export interface YamlFindings {
  error(kind: 'syntax' | 'value', place: Place, found: string, expected: string): void;
}

export class YamlText {
  readonly #document: ReturnType<typeof parseDocument>;
  readonly #lines: LineCounter;
  readonly #text: string;

  private constructor(document: ReturnType<typeof parseDocument>, lines: LineCounter, text: string) {
    this.#document = document;
    this.#lines = lines;
    this.#text = text;
  }

  /** Null where the text is no YAML; the reasons are then in `findings`. */
  static parse(text: string, findings: YamlFindings): YamlText | null {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, intAsBigInt: true, prettyErrors: false });
    const yaml = new YamlText(document, lines, text);
    for (const error of document.errors) {
      findings.error('syntax', yaml.#place(error.pos[0]), error.message, 'YAML 1.2');
    }
    if (document.errors.length > 0) return null;
    visit(document, {
      Scalar(_key, node) {
        if (typeof node.value !== 'number' || node.source === undefined) return;
        const digits = node.source.replace(/^[-+]?0*|[.]|e.*$/gi, '');
        if (digits.length > 15) {
          const found = 'a number of more than 15 digits';
          const expected = 'it in quotes, so that no digit is lost';
          findings.error('value', yaml.#place(node.range?.[0] ?? 0), found, expected);
        }
      },
    });
    return yaml;
  }

  /** Plain values; integers as BigInt, unless asked for as numbers (where all of them are known to be small). */
  toJS(options: { readonly integersAsNumbers?: boolean } = {}): unknown {
    if (!options.integersAsNumbers) return this.#document.toJS();
    return this.#document.toJS({
      reviver: (_key, value) => (typeof value === 'bigint' ? Number(value) : value),
    });
  }

  /** Where the value at the path stands, or the nearest value around it. */
  valueAt(path: YamlPath): Place {
    for (let depth = path.length; depth >= 0; depth -= 1) {
      const node = this.#node(path.slice(0, depth));
      if (node?.range) return this.#place(node.range[0]);
    }
    return { line: 1, column: 1 };
  }

  /** Where the key that the path ends with stands; the value's place where it is no key. */
  keyAt(path: YamlPath): Place {
    const parent = this.#node(path.slice(0, -1));
    const last = path.at(-1);
    if (isMap(parent)) {
      for (const { key } of parent.items) {
        if (isScalar(key) && String(key.value) === String(last) && key.range)
          return this.#place(key.range[0]);
      }
    }
    return this.valueAt(path);
  }

  /** Where character `offset` of the string at the path stands. */
  inString(path: YamlPath, offset: number): Place {
    const node = this.#node(path);
    if (!isScalar(node) || typeof node.value !== 'string' || !node.range) return this.valueAt(path);
    const [start] = node.range;
    if (node.type === 'BLOCK_LITERAL') {
      const before = node.value.slice(0, offset).split('\n');
      const header = this.#place(start).line;
      // The first line with text sets the indentation of all.
      const firstText = node.value.split('\n').findIndex((each) => each.trim() !== '');
      const lineStart = this.#lines.lineStarts[header + firstText] ?? start;
      const indent = /^ */.exec(this.#text.slice(lineStart))?.[0].length ?? 0;
      return { line: header + before.length, column: indent + (before.at(-1)?.length ?? 0) + 1 };
    }
    const quoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE' ? 1 : 0;
    const first = start + quoted;
    const asWritten = this.#text.slice(first, first + node.value.length) === node.value;
    return this.#place(asWritten ? first + offset : start);
  }

  has(path: YamlPath): boolean {
    return this.#document.hasIn(path);
  }

  /** A scalar as text; empty for anything else. */
  textAt(path: YamlPath): string {
    const node = this.#node(path);
    return isScalar(node) ? String(node.value) : '';
  }

  #node(path: YamlPath): Node | null {
    const node = path.length === 0 ? this.#document.contents : this.#document.getIn(path, true);
    return (node as Node | null | undefined) ?? null;
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col };
  }
}
