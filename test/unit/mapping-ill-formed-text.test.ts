// Text with half a surrogate pair, which UTF-8 has no bytes for: JSON may spell it ("\ud83d"), and text of no known encoding is
// marked by it. Its row goes to quarantine; it must not stop the stream.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { appendEvent } from '../../src/canonical/batch-codec.ts';
import { RecordWriter } from '../../src/canonical/record-writer.ts';
import { decodeText } from '../../src/capture/source-text.ts';
import { GrowingBuffer } from '../../src/change/growing-buffer.ts';
import { parseMappings } from '../../src/mapping/compile.ts';
import { insert, mappingText, relationOf, schemaOf, table, transaction } from './mapping-tables.ts';

const source = table('things', { id: 'int8!', name: 'text', doc: 'json' });
const schema = schemaOf({ id: 'long', name: ['null', 'string'], title: ['null', 'string'] });
const relation = relationOf(source);

const mapped = (row: { name: string | null; doc: string | null }) => {
  const text = mappingText(
    ['id: id', 'name: name', 'title: {from: doc, transform: {jsonPath: $.title}}'],
    [],
  );
  const { mappings, findings } = parseMappings([{ path: 'things.yaml', text }], [schema]);
  expect(findings).toEqual([]);
  const event = mappings[0]!.bind(relation, source).map(insert(relation, { id: '1', ...row }), transaction)!;
  // What the stream does with it.
  appendEvent(new GrowingBuffer(), event, new RecordWriter(mappings[0]!.schema));
  return event;
};

it('is refused with its row, whichever way it comes', () => {
  expect(mapped({ name: 'n', doc: '{"title": "\\ud83d\\ude00"}' })).toMatchObject({
    op: 'upsert',
    record: { title: '😀' },
  });
  expect(mapped({ name: 'n', doc: '{"title": "\\ud83d"}' })).toMatchObject({
    op: 'reject',
    code: 'WB3101',
    rowJson: expect.stringContaining('ud83d'),
  });
  expect(mapped({ name: 'caf\udce9', doc: null })).toMatchObject({
    op: 'reject',
    code: 'WB3101',
    rowJson: '{"id":"1","name":"caf\\udce9","doc":null}',
  });
});

/** Of any characters; fc's own take seconds to be made ready. */
const texts = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff })))
  .map((codes) => String.fromCodePoint(...codes));

it('stands for bytes that are no UTF-8, each by itself, and for nothing else', () => {
  const decoded = (bytes: Buffer) => decodeText(bytes, 0, bytes.length);
  expect(decoded(Buffer.from([0x63, 0xe9, 0x64, 0xc3, 0xa9, 0xf0, 0x9f]))).toBe('c\udce9dé\udcf0\udc9f');
  // The replacement character itself is a character.
  expect(decoded(Buffer.from('a\ufffdb'))).toBe('a\ufffdb');
  fc.assert(
    fc.property(texts, (text) => {
      expect(decoded(Buffer.from(text))).toBe(text);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      const text = decoded(Buffer.from(bytes));
      const back = [...text].flatMap((character) => {
        const code = character.codePointAt(0)!;
        return code >= 0xdc80 && code <= 0xdcff ? [code - 0xdc00] : [...Buffer.from(character)];
      });
      expect(back).toEqual([...bytes]);
    }),
  );
});
