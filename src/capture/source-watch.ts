// Looks again and again whether the source still sends what is wanted, as cheaply as can be.
// Guarantees: one small query a look; the whole inspection only after something of it has changed; an edit that was taken back by
// the next look is told all the same.
// https://www.postgresql.org/docs/current/catalog-pg-publication.html
import type { ClientBase, ClientConfig } from 'pg';
import { type Lsn, parseLsn } from '../change/position.ts';
import type { TableName } from '../change/table-description.ts';
import { isSameTable } from '../change/table-name.ts';
import type { Finding } from './finding.ts';
import { inspect } from './inspect.ts';
import { KeptClient } from './kept-client.ts';
import { readSourceFacts, type SourceFacts, type WantedSource } from './source-facts.ts';

export interface SourceLook {
  /** The source's WAL had been written up to here when it was looked at. */
  readonly lsn: Lsn;
  readonly at: Date;
  /** Somebody edited a publication since the last look. */
  readonly isEdited: boolean;
  /** What is not as it should be; null where nothing has changed since the last look that found nothing. */
  readonly findings: readonly Finding[] | null;
  /** The wanted tables with the findings of each. */
  findingsOf(table: TableName): readonly Finding[];
}

interface Fingerprint {
  readonly lsn: string;
  readonly publications: string;
  readonly tables: string;
}

// A row's xmin changes with every write of it, also with one that is taken back by the next. Casts: xid has no JSON of its own.
const FINGERPRINT = `
  SELECT
    CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
      ELSE pg_catalog.pg_current_wal_lsn() END::text AS lsn,
    pg_catalog.md5(pg_catalog.jsonb_build_array(
      (SELECT jsonb_agg(jsonb_build_array(p.oid::bigint, p.xmin::text) ORDER BY p.oid)
        FROM pg_catalog.pg_publication p WHERE p.pubname = ANY ($3)),
      (SELECT jsonb_agg(jsonb_build_array(r.oid::bigint, r.xmin::text) ORDER BY r.oid)
        FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
        JOIN wanted w ON w.oid = r.prrelid WHERE p.pubname = ANY ($3)))::text) AS publications,
    pg_catalog.md5(pg_catalog.jsonb_build_array(
      (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.pubname, t.schemaname, t.tablename) FROM pg_catalog.pg_publication_tables t
        JOIN unnest($1::text[], $2::text[]) AS name(schema, name) ON name.schema = t.schemaname AND name.name = t.tablename
        WHERE t.pubname = ANY ($3)),
      (SELECT jsonb_agg(jsonb_build_array(w.oid::bigint, w.relreplident::text, w.relkind::text,
          w.relpersistence::text, w.relispartition) ORDER BY w.oid) FROM wanted w),
      (SELECT jsonb_agg(jsonb_build_array(i.indexrelid::bigint, i.indisprimary, i.indisreplident, i.indimmediate, i.indkey::text)
          ORDER BY i.indexrelid)
        FROM pg_catalog.pg_index i JOIN wanted w ON w.oid = i.indrelid WHERE i.indisprimary OR i.indisreplident),
      (SELECT jsonb_agg(jsonb_build_array(a.attrelid::bigint, a.attnum, a.attname, a.attnotnull, a.attgenerated::text)
          ORDER BY a.attrelid, a.attnum)
        FROM pg_catalog.pg_attribute a JOIN wanted w ON w.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped))::text) AS tables`;
// With all partitions: it is their replica identities that the server goes by.
const WANTED = `
  WITH named AS (SELECT c.oid
    FROM unnest($1::text[], $2::text[]) AS name(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = name.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = name.name),
  wanted AS (SELECT c.oid, c.relreplident, c.relkind, c.relpersistence, c.relispartition FROM pg_catalog.pg_class c
    WHERE c.oid IN (SELECT oid FROM named
      UNION ALL SELECT t.relid FROM named, pg_catalog.pg_partition_tree(named.oid) AS t))`;

const TIMEOUT_MS = 15_000;

export class SourceWatch {
  readonly #source: KeptClient;
  readonly #wanted: WantedSource;
  #last: Fingerprint | null = null;

  constructor(connection: ClientConfig, wanted: WantedSource) {
    this.#source = new KeptClient({
      connectionTimeoutMillis: TIMEOUT_MS,
      query_timeout: TIMEOUT_MS,
      ...connection,
    });
    this.#wanted = wanted;
  }

  /** Throws a WalbridgeError (WB2001 to WB2003) where the source can't be asked; the next look connects anew. */
  look(): Promise<SourceLook> {
    return this.#source.use((client) => this.#look(client));
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  async #look(client: ClientBase): Promise<SourceLook> {
    const { tables, publications } = this.#wanted;
    const at = new Date();
    const { rows } = await client.query<Fingerprint>(WANTED + FINGERPRINT, [
      tables.map(({ schema }) => schema),
      tables.map(({ table }) => table),
      publications,
    ]);
    const found = rows[0]!;
    const last = this.#last;
    const lsn = parseLsn(found.lsn);
    const isEdited = last !== null && last.publications !== found.publications;
    if (last !== null && !isEdited && last.tables === found.tables)
      return { lsn, at, isEdited, findings: null, findingsOf: () => [] };
    const facts = await readSourceFacts(client, this.#wanted);
    this.#last = found;
    return {
      lsn,
      at,
      isEdited,
      findings: inspect(facts, this.#wanted),
      findingsOf: (table) => this.#findingsOf(facts, table),
    };
  }

  #findingsOf(facts: SourceFacts, table: TableName): Finding[] {
    const tables = this.#wanted.tables.filter((one) => isSameTable(one, table));
    return inspect(facts, { ...this.#wanted, tables });
  }
}
