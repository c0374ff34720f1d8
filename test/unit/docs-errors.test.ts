import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);

it('docs/errors.md has every code of the source, once, in order, and no other', () => {
  const files = readdirSync(new URL('src', root), { recursive: true, encoding: 'utf8' });
  const used = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => readFileSync(new URL(`src/${file}`, root), 'utf8').match(/\bWB\d{4}\b/g) ?? []);
  const documented = [
    ...readFileSync(new URL('docs/errors.md', root), 'utf8').matchAll(
      /^\| (WB\d{4}) \| [tpfq] \| \S.*\. \|$/gm,
    ),
  ].map(([, code]) => code);
  expect(documented).toEqual([...new Set(used)].sort());
});
