// The one place that tells what an error of SQL Server or its driver means: retry, quarantine the row, or halt the lane.
// Guarantees: nothing that a server's message quotes of a row (2627, 2628, 245 and others do) leaves this file; numbers,
// states, driver codes and the names of objects do.
// Numbers by Microsoft's pages "Database engine events and errors" (relational-databases/errors-events), "Troubleshoot
// connectivity issues and other errors" (azure-sql/database/troubleshoot-common-errors-issues), "Resource management in
// Azure SQL Database" and "Transaction locking and row versioning guide".
import { WalbridgeError } from '../fault/fault.ts';

/**
 * transient: the same call may succeed later.
 * row: one row's values are refused; the batch without that row may succeed, so bisect.
 * structure: tables, names, permissions or settings: no row is to blame and somebody must act.
 */
type SqlFaultScope = 'transient' | 'row' | 'structure';

export interface SqlFault {
  /** The server's error number; null for an error of the driver or the network. */
  readonly number: number | null;
  readonly state: number | null;
  /** Severity, 0 to 25. */
  readonly severity: number | null;
  /** The driver's code (ESOCKET, ETIMEOUT, …); null where it gave none. */
  readonly driverCode: string | null;
  readonly scope: SqlFaultScope;
  /** Constraint, index, table, column or object, in the order the message names them; never values. */
  readonly names: readonly string[];
}

/** An error of the warehouse, classified. It has no `cause` where that would quote a row. */
export class WarehouseError extends WalbridgeError {
  readonly fault: SqlFault;

  constructor(doing: string, fault: SqlFault, options?: ErrorOptions) {
    super({ ...advice(fault), what: `${doing} failed: ${describe(fault)}.` }, options);
    this.name = 'WarehouseError';
    this.fault = fault;
  }
}

/** True where one row's values may be to blame: bisect the batch and quarantine that row. */
export function isRowLevel(error: unknown): error is WarehouseError {
  return error instanceof WarehouseError && error.fault.scope === 'row';
}

/** What `doing` ended with ("The login", "A bulk load into #staging"), classified; a WalbridgeError as it is. */
export function asWarehouseError(error: unknown, doing: string): WalbridgeError {
  if (error instanceof WalbridgeError) return error;
  const fault = classifySqlError(error);
  return new WarehouseError(doing, fault, fault.number === null ? { cause: error } : undefined);
}

// 13535: another transaction, begun later, has written the temporal table's row; a new one may.
const lockNumbers = [
  539, 601, 617, 669, 1203, 1204, 1205, 1215, 1216, 1221, 1222, 1232, 3635, 3935, 3941, 3947, 3950, 3953,
  3957, 3960, 3961, 3966, 3980, 4117, 4184, 9515, 11539, 13535, 20041, 22335, 22355,
];
const resourceNumbers = [701, 802, 8628, 8645, 8651, 10922, 10928, 10929, 10930, 10936, 17197, 17889];
const fullNumbers = [1101, 1105, 3958, 3967, 9001, 9002, 9020];
const failoverNumbers = [
  615, 904, 906, 921, 922, 924, 926, 927, 941, 952, 976, 978, 979, 981, 982, 983, 988, 997, 1807, 3906, 3948,
  4060, 4221, 596, 6005, 6006, 18401, 18451, 2816, 2021, 1532, 1533, 1534, 1535, 17065, 17066, 17067, 35256,
  41383,
];
// Numbers of SqlClient's network layer; a gateway or proxy passes them on as server errors.
const networkNumbers = [20, 64, 121, 203, 233, 10053, 10054, 10060, 11001, 17142];
const azureNumbers = [
  16528, 16554, 22225, 22226, 22353, 22358, 22427, 22430, 22491, 22493, 22498, 40106, 40143, 40166, 40189,
  40197, 40501, 40540, 40549, 40550, 40551, 40552, 40553, 40613, 40623, 40642, 40648, 40671, 40675, 40890,
  40903, 40918, 40938, 41614, 41619, 41640, 41700, 41701, 42029, 45153, 45156, 45157, 45161, 45179, 45182,
  45319, 45547, 42108, 42109, 49510, 49802, 49918, 49919, 49920, 49977, 49983,
];
const memoryOptimizedNumbers = [41301, 41302, 41305, 41325, 41339, 41823, 41839, 41840];
const transientNumbers = new Set([
  ...lockNumbers,
  ...resourceNumbers,
  ...fullNumbers,
  ...failoverNumbers,
  ...networkNumbers,
  ...azureNumbers,
  ...memoryOptimizedNumbers,
]);
const outOfSpace = new Set(fullNumbers);

const rowNumbers = new Set([
  // Overflow and conversion.
  220, 232, 235, 236, 237, 238, 241, 242, 244, 245, 248, 293, 294, 295, 296, 517, 3623, 8114, 8115, 8134,
  8169, 8170, 9402, 9420, 9807, 13609,
  // Row and index entry too long, text too long, and the same said by the bulk load.
  511, 1946, 2628, 8152, 4815, 4863, 4864,
  // Constraints, rules, WITH CHECK OPTION.
  513, 515, 547, 550, 2601, 2627,
  // The transaction ended in a trigger.
  3609,
]);
/** RAISERROR and THROW of triggers and procedures start here, and so do numbers of engines that are not SQL Server. */
const FIRST_USER_NUMBER = 50_000;

/** Said beside the error that tells why. */
const echoes = new Set([266, 3609, 3621, 3902, 3903, 3930, 3998]);

const permissionNumbers = new Set([229, 230, 262, 297, 300, 916, 1088, 2760, 15151, 15247]);
const loginNumbers = new Set([18452, 18456, 18470, 18486, 18487, 18488, 40532]);

// Codes of tedious and mssql that no retry mends: wrong settings, wrong use. Every other unnumbered error is the connection's:
// sockets, TLS and streams break in more ways than a list has, and a lane must not halt over one of them.
const permanentDriverCodes = new Set([
  'EARGS',
  'EDRIVER',
  'EDUPEPARAM',
  'EENCRYPT',
  'EFEDAUTH',
  'EINJECT',
  'EJSON',
  'ELOGIN',
  'EPARAM',
  'EREQINPROG',
]);

/** An error as mssql and tedious shape it. */
interface DriverError {
  readonly code?: unknown;
  readonly number?: unknown;
  readonly state?: unknown;
  readonly class?: unknown;
  readonly message?: unknown;
  readonly name?: unknown;
  readonly originalError?: unknown;
  readonly precedingErrors?: unknown;
}

/** Classifies what mssql or tedious threw. A mistake in the code is of scope `structure`, without a number. */
export function classifySqlError(error: unknown): SqlFault {
  const all = flatten(error);
  const numbered = all.filter((one) => typeof one.number === 'number' && one.number > 0);
  const telling =
    numbered.find((one) => transientNumbers.has(one.number as number)) ??
    numbered.find((one) => !echoes.has(one.number as number)) ??
    numbered[0];
  if (telling === undefined) {
    const driverCode = all.map(driverCodeOf).find((code) => code !== null) ?? null;
    const isPermanent = all.some(isMistake) || (driverCode !== null && permanentDriverCodes.has(driverCode));
    const scope = isPermanent ? 'structure' : 'transient';
    return { number: null, state: null, severity: null, driverCode, scope, names: [] };
  }
  const number = telling.number as number;
  const severity = typeof telling.class === 'number' ? telling.class : null;
  return {
    number,
    state: typeof telling.state === 'number' ? telling.state : null,
    severity,
    driverCode: driverCodeOf(telling),
    scope: scopeOf(number, severity),
    names: namesIn(number, typeof telling.message === 'string' ? telling.message : ''),
  };
}

function scopeOf(number: number, severity: number | null): SqlFaultScope {
  if (transientNumbers.has(number)) return 'transient';
  if (rowNumbers.has(number) || number >= FIRST_USER_NUMBER) return 'row';
  // 17 to 20: out of resources, internal errors, this session ended. 21 and up: the database is damaged.
  if (severity !== null && severity >= 17 && severity <= 20) return 'transient';
  return 'structure';
}

/** The error, what it wraps and what came before it, in the order the server sent them. */
function flatten(error: unknown, depth = 0): DriverError[] {
  if (typeof error !== 'object' || error === null || depth > 4) return [];
  const one = error as DriverError;
  const preceding = Array.isArray(one.precedingErrors) ? one.precedingErrors : [];
  const inner = error instanceof AggregateError ? error.errors : [];
  return [
    ...preceding.flatMap((before) => flatten(before, depth + 1)),
    one,
    ...flatten(one.originalError, depth + 1),
    ...inner.flatMap((each) => flatten(each, depth + 1)),
  ];
}

function isMistake(error: DriverError): boolean {
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError ||
    error instanceof SyntaxError
  );
}

function driverCodeOf(error: DriverError): string | null {
  // The pool's acquire time-out comes from tarn, which gives it a name only.
  if (error.name === 'TimeoutError') return 'ETIMEOUT';
  return typeof error.code === 'string' && error.code !== 'EREQUEST' ? error.code : null;
}

// English texts, as sys.messages has them for language 1033, which tedious asks for. Each stops short of the first value.
const named: Readonly<Record<number, RegExp>> = {
  207: /^Invalid column name '(.+)'/,
  208: /^Invalid object name '(.+)'/,
  229: /^The (\w+) permission was denied on the (?:object|column) '(.+?)'/,
  230: /^The (\w+) permission was denied on the column '(.+?)' of the object '(.+?)'/,
  262: /^([\w ]+) permission denied in database/,
  515: /^Cannot insert the value NULL into column '(.+?)', table '(.+?)';/,
  547: /conflicted with the (?:\w+ )+constraint "(.+?)"\. The conflict occurred in database ".+?", table "(.+?)"/,
  2601: /^Cannot insert duplicate key row in object '(.+?)' with unique index '(.+?)'\. The/,
  2627: /^Violation of (?:\w+ )+constraint '(.+?)'\. Cannot insert duplicate key in object '(.+?)'\. The/,
  2628: /^String or binary data would be truncated in table '(.+?)', column '(.+?)'\. Truncated value/,
  2714: /^There is already an object named '(.+)' in the database/,
  2812: /^Could not find stored procedure '(.+)'/,
};

function namesIn(number: number, message: string): string[] {
  const match = named[number]?.exec(message);
  return match === null || match === undefined ? [] : match.slice(1).map((name) => name.slice(0, 300));
}

function describe(fault: SqlFault): string {
  if (fault.number === null) return fault.driverCode ?? 'an error that neither server nor driver numbered';
  const names = fault.names.length === 0 ? '' : ` (${fault.names.join(', ')})`;
  return `SQL Server error ${fault.number}, state ${fault.state ?? '?'}, severity ${fault.severity ?? '?'}${names}`;
}

const ROLLED_BACK = 'The transaction was rolled back: the warehouse is as it was at the watermark.';

function advice(fault: SqlFault) {
  const number = fault.number ?? 0;
  if (fault.scope === 'row') {
    // Nobody knows what was being done: init's DDL and verify's SELECTs are refused with these numbers too.
    const rows =
      'Where rows are applied, those to blame are looked for and go to quarantine with this number';
    return number >= FIRST_USER_NUMBER
      ? ({
          code: 'WB6011',
          kind: 'permanent',
          safe: ROLLED_BACK,
          next: `${rows}. Any other statement is refused as a whole: look for triggers (of the database and the server too) and procedures that raise it, or for what this engine does not support.`,
        } as const)
      : ({
          code: 'WB6010',
          kind: 'permanent',
          safe: ROLLED_BACK,
          next: `${rows}; mend them there or in the source. Any other statement met a value or a constraint that it cannot go past: the number says which.`,
        } as const);
  }
  if (fault.scope === 'transient') {
    const next = outOfSpace.has(number)
      ? 'It is retried; meanwhile make room for the log or the data file, or back the log up.'
      : number === 4060
        ? 'It is retried, as a failover does this too; if it stays, check the name of the database and that the login is a user of it.'
        : 'It is retried with backoff.';
    const code = fault.number === null ? 'WB6002' : outOfSpace.has(number) ? 'WB6003' : 'WB6001';
    return { code, kind: 'transient', safe: ROLLED_BACK, next } as const;
  }
  if (loginNumbers.has(number) || fault.driverCode === 'ELOGIN') {
    return {
      code: 'WB6022',
      kind: 'permanent',
      safe: 'Nothing was sent.',
      next: "Check the login's name, password, default database and that it is enabled.",
    } as const;
  }
  if (permissionNumbers.has(number)) {
    return {
      code: 'WB6021',
      kind: 'permanent',
      safe: ROLLED_BACK,
      next: 'Grant what docs/control-tables.md lists for the warehouse login, then start the lane again.',
    } as const;
  }
  return {
    code: 'WB6020',
    kind: 'permanent',
    safe: ROLLED_BACK,
    next: '`walbridge check` compares the mappings with the tables; mend what it names, then start the lane again.',
  } as const;
}
