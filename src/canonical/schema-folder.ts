// Reads the schema folder: the room's one place that touches the disk.
// Guarantees: every .avsc file below the folder, in a fixed order, with paths relative to it.
import { WalbridgeError } from '../fault/fault.ts';
import { readTextFolder } from '../text/text-folder.ts';
import type { SchemaFile } from './schema-parse.ts';

/** Throws WB3000 where the folder can't be read. */
export async function readSchemaFolder(folder: string): Promise<SchemaFile[]> {
  try {
    return await readTextFolder(folder, /\.avsc$/);
  } catch (error) {
    throw new WalbridgeError(
      {
        code: 'WB3000',
        kind: 'permanent',
        what: `The schema folder ${folder} could not be read (${(error as NodeJS.ErrnoException).code}).`,
        safe: 'Nothing was started.',
        next: 'Make it (`walbridge generate` does), set schemas in the configuration, or give walbridge the right to read it.',
      },
      { cause: error },
    );
  }
}
