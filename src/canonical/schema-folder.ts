// Reads the schema folder: the room's one place that touches the disk.
// Guarantees: every .avsc file below the folder, in a fixed order, with paths relative to it.
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { WalbridgeError } from '../fault/fault.ts';
import type { SchemaFile } from './schema-parse.ts';

/** Throws WB3000 where the folder can't be read. */
export async function readSchemaFolder(folder: string): Promise<SchemaFile[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.avsc'))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    return await Promise.all(
      paths.map(async (path) => ({
        path: relative(folder, path).split(sep).join('/'),
        text: await readFile(path, 'utf8'),
      })),
    );
  } catch (error) {
    throw new WalbridgeError(
      {
        code: 'WB3000',
        kind: 'permanent',
        what: `The schema folder ${folder} could not be read (${(error as NodeJS.ErrnoException).code}).`,
        safe: 'Nothing was started.',
        next: 'Set the schemas folder in the config file, or give walbridge the right to read it.',
      },
      { cause: error },
    );
  }
}
