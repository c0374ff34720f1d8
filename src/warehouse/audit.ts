// Who did what to the bridge: rows of walbridge.audit.
// Guarantees: written in the session's transaction, so that there is no deed without its row and no row without its deed.
import { randomUUID } from 'node:crypto';
import { controlTable } from './control-tables.ts';
import type { SqlSession } from './session.ts';

/** `actor`: a person's login; `subject`: the lane, entity or batch; `detail`: plain data, no row values. */
export async function recordAudit(
  session: SqlSession,
  actor: string,
  action: string,
  subject: string,
  detail: object,
): Promise<void> {
  await session.query(
    `INSERT INTO ${controlTable('audit')} (happened_at, audit_id, actor, action, subject, detail_json) VALUES (SYSDATETIMEOFFSET(), @audit, @actor, @action, @subject, @detail)`,
    {
      audit: { type: 'varchar', value: randomUUID() },
      actor: { type: 'nvarchar', value: actor },
      action: { type: 'varchar', value: action },
      subject: { type: 'nvarchar', value: subject },
      detail: { type: 'nvarchar', value: JSON.stringify(detail) },
    },
  );
}
