// The PostgreSQL database from which every database of the stand-in is copied: SQL Server's collations, functions and catalog
// views. Made once for a version of the catalog, which its name tells.
import { createHash } from 'node:crypto';
import { DATES } from './catalog-dates.ts';
import { FUNCTIONS } from './catalog-functions.ts';
import { VIEWS } from './catalog-views.ts';
import { type Address, Connection } from './connection.ts';

const CATALOG = FUNCTIONS + DATES + VIEWS;
export const TEMPLATE = `mssql_template_${createHash('md5').update(CATALOG).digest('hex').slice(0, 12)}`;

/** Makes the template where it is missing; another process may be at it. */
export async function prepareTemplate(postgres: Address): Promise<void> {
  const admin = new Connection(postgres, 'postgres');
  await admin.open();
  try {
    // Ends with the session.
    await admin.script(`SELECT pg_advisory_lock(hashtext('${TEMPLATE}'))`);
    const [there] = await admin.rows('SELECT 1 FROM pg_database WHERE datname = $1', [TEMPLATE]);
    if (there) return;
    const half = `${TEMPLATE}_half`;
    await admin.script(`DROP DATABASE IF EXISTS ${half}`);
    await admin.script(
      `CREATE DATABASE ${half} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    const connection = new Connection(postgres, half);
    await connection.open();
    try {
      await connection.script(CATALOG);
    } finally {
      await connection.close();
    }
    await admin.script(`ALTER DATABASE ${half} RENAME TO ${TEMPLATE}`);
  } finally {
    await admin.close();
  }
}
