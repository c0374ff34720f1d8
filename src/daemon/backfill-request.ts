// A backfill as somebody asks for it, checked and written down as steps.
// Guarantees: what cannot be done is refused before anything is written, with what would do.
import { randomUUID } from 'node:crypto';
import { WalbridgeError } from '../fault/fault.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { nearestName } from '../text/nearest-name.ts';
import {
  type BackfillKind,
  type BackfillOptions,
  type BackfillStep,
  noOptions,
} from '../warehouse/backfill-step.ts';
import { keyWayBack, sourceKeyOf } from './backfill-table.ts';

export interface BackfillRequest {
  /** Empty with `all`. */
  readonly entities: readonly string[];
  readonly all: boolean;
  /** SQL condition on the source table's columns, `t` by name. */
  readonly where: string | null;
  /** A time, or an interval before now, as PostgreSQL reads it: only rows changed since. */
  readonly since: string | null;
  /** The column that tells when a row was changed; null: the one that has a name for it. */
  readonly sinceColumn: string | null;
  /** A key: one value as it is, several as a JSON array. */
  readonly fromKey: string | null;
  readonly toKey: string | null;
  readonly chunkRows: number;
  /** Ranges and tables of a lane at once; null: as many as the way of reading suggests. */
  readonly parallel: number | null;
  readonly prune: boolean;
  readonly truncateFirst: boolean;
}

/**
 * The mappings of the entities that are asked for; those that are `gone` may be named without one, and have no part in it. Throws
 * WB7024 for what cannot be done.
 */
export function chooseEntities(
  request: BackfillRequest,
  mappings: readonly CompiledMapping[],
  gone: readonly string[] = [],
): readonly CompiledMapping[] {
  const { where, since, prune, truncateFirst } = request;
  const isPart = where !== null || since !== null || request.fromKey !== null || request.toKey !== null;
  if (request.all === request.entities.length > 0) {
    throw refused('Entities and --all were given both, or neither.', 'Name entities, or give --all.');
  }
  if (prune && (where !== null || since !== null)) {
    throw refused(
      `--prune with ${where === null ? '--since' : '--where'} would delete the rows that the condition leaves out.`,
      'Leave one out; --from-key and --to-key go together with --prune.',
    );
  }
  if (truncateFirst && isPart) {
    throw refused(
      '--truncate-first empties the whole table, and only a part of it would come back.',
      'Leave out --where, --since, --from-key and --to-key, or --truncate-first.',
    );
  }
  if (since === null && request.sinceColumn !== null) {
    throw refused('--since-column was given without --since.', 'Give both, or neither.');
  }
  if (prune && truncateFirst) {
    throw refused('--prune finds nothing in a table that --truncate-first has emptied.', 'Leave one out.');
  }
  const names = [...new Set(request.entities)].filter((name) => !gone.includes(name));
  const chosen = request.all ? mappings : names.map((name) => named(name, mappings));
  if ((request.fromKey !== null || request.toKey !== null) && chosen.length > 1) {
    throw refused(
      '--from-key and --to-key were given for several entities.',
      'Give a range for one entity at a time.',
    );
  }
  if (prune) for (const mapping of chosen) checkPrunable(mapping);
  return chosen;
}

/** The steps, entity by entity; all with one id. Throws WB7024. */
export function planBackfill(
  request: BackfillRequest,
  chosen: readonly CompiledMapping[],
  since: ReadonlyMap<string, BackfillOptions['since']>,
): BackfillStep[] {
  const { where, chunkRows, prune, parallel, truncateFirst } = request;
  const id = randomUUID();
  return chosen.flatMap((mapping) => {
    const kinds: BackfillKind[] = [
      ...(truncateFirst ? (['truncate'] as const) : []),
      'backfill',
      ...(prune ? (['prune'] as const) : []),
    ];
    return kinds.map((kind, range) => ({
      id,
      entity: mapping.entity,
      range,
      lane: mapping.lane,
      kind,
      options: {
        where,
        since: since.get(mapping.entity) ?? null,
        chunkRows,
        prune,
        parallel,
        isRange: false,
      },
      fromKey: keyOf('--from-key', request.fromKey, mapping),
      toKey: keyOf('--to-key', request.toKey, mapping),
    }));
  });
}

/** Exactly the given rows, entity by entity, all with one id: those that the source has are written, the others deleted. */
export function planRepair(
  keys: ReadonlyMap<CompiledMapping, readonly (readonly string[])[]>,
  chunkRows: number,
): BackfillStep[] {
  const id = randomUUID();
  return [...keys].flatMap(([{ entity, lane }, wanted]) =>
    (['backfill', 'prune'] as const).map((kind, range) => ({
      id,
      entity,
      range,
      lane,
      kind,
      options: { ...noOptions, chunkRows, prune: true, parallel: 1, keys: wanted },
      fromKey: null,
      toKey: null,
    })),
  );
}

function named(name: string, mappings: readonly CompiledMapping[]): CompiledMapping {
  const mapping = mappings.find(({ entity }) => entity === name);
  if (mapping !== undefined) return mapping;
  const entities = mappings.map(({ entity }) => entity);
  const nearest = nearestName(name, entities);
  throw refused(
    `No mapping has the entity "${name}"${nearest === null ? '' : `; nearest: ${nearest}`}.`,
    `Name one of ${entities.join(', ')}.`,
  );
}

function checkPrunable(mapping: CompiledMapping): void {
  const way = keyWayBack(mapping);
  if ('problem' in way) {
    throw refused(
      `The entity ${mapping.entity} cannot be pruned: ${way.problem}.`,
      'Use --truncate-first, or map the key columns as they are.',
    );
  }
}

function keyOf(option: string, text: string | null, mapping: CompiledMapping): readonly string[] | null {
  if (text === null) return null;
  const columns = sourceKeyOf(mapping);
  if (columns.length === 1) return [text];
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    parts = null;
  }
  const isKey =
    Array.isArray(parts) &&
    parts.length === columns.length &&
    parts.every((part) => typeof part === 'string' || typeof part === 'number');
  if (isKey) return (parts as (string | number)[]).map(String);
  throw refused(
    `${option} is no key of ${mapping.entity}.`,
    `Give a JSON array of its ${columns.length} columns: [${columns.map((column) => `"${column}"`).join(', ')}].`,
  );
}

export function refused(what: string, next: string): WalbridgeError {
  return new WalbridgeError({
    code: 'WB7024',
    kind: 'permanent',
    what,
    safe: 'Nothing was asked for.',
    next,
  });
}
