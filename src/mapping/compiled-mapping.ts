// A mapping ready for use: what the warehouse makes its tables of, and what capture maps its rows with.
// Guarantees: plain data but for `bind`; made only from a mapping without errors.
import type { RecordSchema } from '../canonical/schema.ts';
import type { Relation } from '../change/source-change.ts';
import type { TableDescription, TableName } from '../change/table-description.ts';
import type { MappingDocument } from './document.ts';
import type { ParsedExpression } from './expression.ts';
import type { RecordPlan } from './record-plan.ts';
import type { RowMapper } from './row-mapper.ts';
import type { TargetTable } from './target.ts';
import type { Lookups } from './transform.ts';

export interface CompiledMapping {
  readonly entity: string;
  readonly lane: string;
  readonly source: TableName;
  readonly target: TargetTable;
  /** adopt: the target table exists and keeps the columns that the mapping does not name. */
  readonly mode: 'create' | 'adopt';
  /** The schema that its events are written with. */
  readonly schema: RecordSchema;
  readonly document: MappingDocument;
  readonly plan: RecordPlan;
  readonly filter: ParsedExpression | null;
  readonly lookups: Lookups;
  /** Once per RELATION message. `described` tells the types below domains, where it is at hand. */
  bind(relation: Relation, described?: TableDescription): RowMapper;
}
