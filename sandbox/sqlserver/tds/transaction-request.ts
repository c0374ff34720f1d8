// Transaction manager requests (MS-TDS 2.2.6.9): what each asks the session to do, in order.

import { OPERATION_TYPE } from 'tedious/lib/transaction.js';
import type { SqlSession } from '../session.ts';
import type { Cursor } from './bytes.ts';
import { refusal } from './refusal.ts';

type TransactionRequest = Parameters<SqlSession['transaction']>[0];

/** One, or two where a commit or rollback begins the next transaction. @throws RequestError for one that is refused. */
export function readTransactionRequests(cursor: Cursor): TransactionRequest[] {
  const type = cursor.u16();
  const name = (): string => cursor.utf16(cursor.u8());
  const begin = (): TransactionRequest => {
    const isolation = cursor.u8();
    return { kind: 'begin', name: name(), isolation };
  };
  switch (type) {
    case OPERATION_TYPE.TM_BEGIN_XACT:
      return [begin()];
    case OPERATION_TYPE.TM_SAVE_XACT:
      return [{ kind: 'save', name: name(), isolation: 0 }];
    case OPERATION_TYPE.TM_COMMIT_XACT:
    case OPERATION_TYPE.TM_ROLLBACK_XACT: {
      const kind = type === OPERATION_TYPE.TM_COMMIT_XACT ? 'commit' : 'rollback';
      const first: TransactionRequest = { kind, name: name(), isolation: 0 };
      return !cursor.atEnd && (cursor.u8() & 1) !== 0 ? [first, begin()] : [first];
    }
    default:
      throw refusal(`transaction manager request ${type}`);
  }
}
