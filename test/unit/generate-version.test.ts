// Which version `generate --force` gives a schema: a higher one than all that are there, or none where nothing changed.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { incompatibilities } from '../../src/canonical/compatibility.ts';
import { nextVersion } from '../../src/canonical/next-version.ts';
import { buildRegistry } from '../../src/canonical/registry.ts';
import { compareVersions } from '../../src/canonical/schema.ts';
import type { SchemaFile } from '../../src/canonical/schema-parse.ts';
import { giveVersion } from '../../src/daemon/generate-version.ts';

interface FieldSpec {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
}

const field = ({ name, type, nullable }: FieldSpec) => ({
  name,
  type: nullable ? ['null', type] : type,
  ...(nullable && { default: null }),
});

function file(version: string, fields: readonly object[], doc = 'Deals.'): SchemaFile {
  const text = JSON.stringify({ type: 'record', name: 'Deal', namespace: 'crm', doc, fields });
  return { path: `crm/Deal/${version}.avsc`, text };
}

const parsed = (...files: SchemaFile[]) => buildRegistry(files).registry.versions('crm.Deal');

const id = { name: 'id', type: 'int' };
const note = field({ name: 'note', type: 'string', nullable: true });

describe('a schema that is generated again', () => {
  const first = file('1.0.0', [id, note]);
  const given = (...fields: readonly object[]) => giveVersion([first], file('1.0.0', fields));

  it('stays what it is where nothing changed, whatever the docs and the order are', () => {
    expect(giveVersion([first], file('1.0.0', [note, { ...id, doc: 'The key.' }], 'Sales.'))).toEqual({
      version: '1.0.0',
      isNew: false,
      note: null,
    });
  });

  it('gets a minor version where events of all earlier ones can be read, with every field of the last', () => {
    const more = field({ name: 'more', type: 'string', nullable: true });
    expect(given(id, note, more)).toEqual({
      version: '1.1.0',
      isNew: true,
      note: 'crm.Deal 1.1.0 is compatible with 1.0.0',
    });
    expect(given({ name: 'id', type: 'long' }, note)).toMatchObject({ version: '1.1.0' });
  });

  it.each([
    ['a field without a default', [id, note, { name: 'more', type: 'int' }], 'crm.Deal 1.0.0: fields.more: '],
    ['a narrower field', [id, { name: 'note', type: 'string' }], 'crm.Deal 1.0.0: fields.note.type: '],
    ['a field that is gone', [id], 'crm.Deal 1.0.0: fields.note: it is gone'],
  ])('gets a major one that says so for %s', (_what, fields, why) => {
    const { version, note: said } = given(...fields);
    expect(version).toBe('2.0.0');
    expect(said).toContain('crm.Deal 2.0.0 is a major version');
    expect(said).toContain(why);
  });

  it('is the first one where there is none of the record', () => {
    const other = { path: 'crm/Dealer/3.0.0.avsc', text: 'not even JSON' };
    expect(giveVersion([other], file('1.0.0', [id]))).toEqual({
      version: '1.0.0',
      isNew: true,
      note: null,
    });
  });

  it('is refused where queued events could not tell it from an earlier one, or an earlier one is no schema', () => {
    const at = (logicalType: string) =>
      file('1.0.0', [id, { name: 'at', type: { type: 'long', logicalType } }]);
    expect(() => giveVersion([at('timestamp-micros')], at('local-timestamp-micros'))).toThrow(
      expect.objectContaining({ code: 'WB8004', what: expect.stringContaining('WB3008') }),
    );
    expect(() => giveVersion([first, { path: 'crm/Deal/1.1.0.avsc', text: '{' }], first)).toThrow(
      expect.objectContaining({ code: 'WB8004', what: expect.stringContaining('WB3002') }),
    );
  });
});

it('of any versions: the next one is the highest, and a minor one reads all of its major and before', () => {
  const specs = fc.uniqueArray(
    fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      type: fc.constantFrom('int', 'long', 'string'),
      nullable: fc.boolean(),
    }),
    { selector: ({ name }) => name, minLength: 1 },
  );
  const numbers = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)).map((parts) => parts.join('.'));
  const versions = fc.uniqueArray(fc.tuple(numbers, specs), { selector: ([number]) => number, minLength: 1 });
  fc.assert(
    fc.property(versions, specs, (known, wanted) => {
      const files = known.map(([number, fields]) => file(number, fields.map(field)));
      const there = parsed(...files);
      const [one] = parsed(file('1.0.0', wanted.map(field)));
      const newest = there.at(-1);
      if (one === undefined || newest === undefined) throw new Error('The test made no schema.');
      const next = nextVersion(there, one);
      const names = (fields: readonly { readonly name: string }[]) => fields.map(({ name }) => name).sort();
      if (next === null) {
        expect(names(newest.fields)).toEqual(names(one.fields));
        expect(incompatibilities(newest, one)).toEqual([]);
        expect(incompatibilities(one, newest)).toEqual([]);
        return;
      }
      for (const { version } of there) expect(compareVersions(version, next.version)).toBeLessThan(0);
      const isReadable = there.every((older) => incompatibilities(one, older).length === 0);
      const isWhole = names(newest.fields).every((name) => names(one.fields).includes(name));
      expect(next.version.major === newest.version.major).toBe(isReadable && isWhole);
    }),
  );
});
