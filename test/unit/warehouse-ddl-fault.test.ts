import { describe, expect, it } from 'vitest';
import { isTransient, WalbridgeError } from '../../src/fault/fault.ts';
import { asWarehouseError, classifySqlError, isRowLevel } from '../../src/warehouse/sql-fault.ts';

/** An error as mssql shapes one of the server's. */
function serverError(number: number, message = 'text of the server', more: object = {}): Error {
  return Object.assign(new Error(message), { code: 'EREQUEST', number, state: 1, class: 14, ...more });
}

describe('classification', () => {
  it.each([
    1205, 1222, 3960, 701, 8645, 8651, 40197, 40501, 40540, 40549, 40550, 40551, 40552, 40613, 40143, 49918,
    49919, 49920, 4060, 4221, 10053, 10054, 10060, 10928, 10929, 233, 64, 20, 18401, 976, 978, 979, 983, 9001,
    9002, 1105, 1204, 615, 926,
  ])('%i passes of itself', (number) => {
    expect(classifySqlError(serverError(number)).scope).toBe('transient');
    expect(isTransient(asWarehouseError(serverError(number), 'A batch'))).toBe(true);
  });

  it.each([
    515, 547, 2601, 2627, 2628, 8152, 8114, 8115, 8134, 241, 242, 245, 248, 295, 517, 220, 511, 1946, 50000,
    51234,
  ])('%i is one row’s fault', (number) => {
    const error = asWarehouseError(serverError(number), 'A batch');
    expect(isRowLevel(error)).toBe(true);
    expect(isTransient(error)).toBe(false);
  });

  it('blames rows only where rows are applied, and knows no number that a trigger or another engine made up', () => {
    const known = asWarehouseError(serverError(8114), 'A statement');
    const foreign = asWarehouseError(serverError(33_557_097), 'CREATE TABLE [dbo].[t] for t');
    expect([known.code, foreign.code]).toEqual(['WB6010', 'WB6011']);
    for (const { message } of [known, foreign]) {
      expect(message).toContain('Where rows are applied, those to blame');
      expect(message).toContain('Any other statement');
    }
    expect(foreign.message).toContain('refused as a whole');
  });

  it.each([207, 208, 229, 230, 262, 916, 2812, 18456, 102, 156, 3930])('%i halts the lane', (number) => {
    const error = asWarehouseError(serverError(number), 'A batch');
    expect(classifySqlError(serverError(number)).scope).toBe('structure');
    expect(isRowLevel(error) || isTransient(error)).toBe(false);
  });

  it.each(['ESOCKET', 'ECONNCLOSED', 'ETIMEOUT', 'EINVALIDSTATE', 'ECONNRESET'])(
    'the driver’s %s passes of itself',
    (code) => {
      const error = Object.assign(new Error('lost'), { code });
      expect(classifySqlError(error)).toMatchObject({ number: null, driverCode: code, scope: 'transient' });
    },
  );

  it('takes what nobody numbered or named for a broken connection, but not a mistake in the code', () => {
    expect(classifySqlError(new Error('Premature close')).scope).toBe('transient');
    expect(classifySqlError(Object.assign(new Error('x'), { code: 'ERR_SSL_WRONG_VERSION' })).scope).toBe(
      'transient',
    );
    expect(classifySqlError(new TypeError('x is undefined')).scope).toBe('structure');
    expect(classifySqlError(Object.assign(new Error('x'), { code: 'EPARAM' })).scope).toBe('structure');
  });

  it('takes ELOGIN without a number for a refused login', () => {
    const error = asWarehouseError(Object.assign(new Error('no'), { code: 'ELOGIN' }), 'The login');
    expect(error).toMatchObject({ code: 'WB6022', kind: 'permanent' });
  });

  it('knows the pool’s time-out by its name only', () => {
    const error = new Error('operation timed out for an unknown reason');
    error.name = 'TimeoutError';
    expect(classifySqlError(error).scope).toBe('transient');
  });

  it('takes the deadlock before what came with it', () => {
    const error = serverError(3930, 'x', { precedingErrors: [serverError(1205)] });
    expect(classifySqlError(error).number).toBe(1205);
  });

  it('takes the cause before its echo', () => {
    const error = serverError(3609, 'x', { precedingErrors: [serverError(50000)] });
    expect(classifySqlError(error).number).toBe(50000);
  });

  it('looks into an aborted transaction’s reason', () => {
    const error = Object.assign(new Error('aborted'), { code: 'EABORT', originalError: serverError(2627) });
    expect(classifySqlError(error)).toMatchObject({ number: 2627, scope: 'row' });
  });

  it.each([
    [17, 'transient'],
    [20, 'transient'],
    [16, 'structure'],
    [23, 'structure'],
  ] as const)('goes by severity %i where the number is unknown', (severity, scope) => {
    expect(classifySqlError(serverError(49_999, 'x', { class: severity })).scope).toBe(scope);
  });

  it('leaves a classified error as it is', () => {
    const error = asWarehouseError(serverError(208), 'A batch');
    expect(asWarehouseError(error, 'Something else')).toBe(error);
    expect(error).toBeInstanceOf(WalbridgeError);
  });
});

describe('what leaves', () => {
  const secret = "O'Hara; 4111-1111";

  it.each([
    [
      2627,
      `Violation of PRIMARY KEY constraint 'PK_contacts'. Cannot insert duplicate key in object 'crm.contacts'. The duplicate key value is (${secret}).`,
      ['PK_contacts', 'crm.contacts'],
    ],
    [
      2601,
      `Cannot insert duplicate key row in object 'crm.contacts' with unique index 'UX_email'. The duplicate key value is (${secret}).`,
      ['crm.contacts', 'UX_email'],
    ],
    [
      2628,
      `String or binary data would be truncated in table 'dw.crm.contacts', column 'phone'. Truncated value: '${secret}'.`,
      ['dw.crm.contacts', 'phone'],
    ],
    [245, `Conversion failed when converting the nvarchar value '${secret}' to data type int.`, []],
    [
      547,
      'The INSERT statement conflicted with the FOREIGN KEY constraint "FK_account". The conflict occurred in database "dw", table "crm.accounts", column \'id\'.',
      ['FK_account', 'crm.accounts'],
    ],
    [
      515,
      "Cannot insert the value NULL into column 'name', table 'dw.crm.accounts'; column does not allow nulls. INSERT fails.",
      ['name', 'dw.crm.accounts'],
    ],
    [50000, `Trigger says no to ${secret}`, []],
  ])('names objects of %i, never values', (number, message, names) => {
    const error = asWarehouseError(serverError(number, message), 'A batch');
    expect(error).toMatchObject({ fault: { number, names } });
    expect(error.message).toContain(String(number));
    expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain(secret);
    expect(error.cause).toBeUndefined();
  });

  it('isn’t fooled by a value that looks like the rest of the message', () => {
    const value = "x'. Cannot insert duplicate key in object 'evil";
    const message = `Violation of UNIQUE KEY constraint 'UX'. Cannot insert duplicate key in object 'crm.t'. The duplicate key value is (${value}).`;
    expect(classifySqlError(serverError(2627, message)).names).toEqual(['UX', 'crm.t']);
  });
});
