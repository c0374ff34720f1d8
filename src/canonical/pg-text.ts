// From PostgreSQL's text output to canonical values: one decoder per pair of source type and field type, chosen once.
// Guarantees: exact or a Misfit, never rounded, cut or guessed; decoders don't throw.
// https://www.postgresql.org/docs/current/datatype.html
import type { BaseType } from '../change/table-description.ts';
import type { CanonicalValue } from './event.ts';
import type { Misfit } from './misfit.ts';
import type { FieldType } from './schema.ts';

/** What a decoder must know of a source column's type, below its domains. */
export type PgType = Pick<BaseType, 'name' | 'kind' | 'elementTypeName'>;

export type PgTextDecoder = (text: string) => CanonicalValue | Misfit;

/** Null where no value of the source type can become the field type without a transform. */
export declare function pgTextDecoder(pgType: PgType, type: FieldType): PgTextDecoder | null;
