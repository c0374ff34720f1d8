// Tables on the screen, one line a row.
import Table from 'cli-table3';

const noLineBetween = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };

type Row = readonly (string | number)[];

export function formatTable(head: readonly string[], rows: readonly Row[]): string {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [] },
    chars: noLineBetween,
    wordWrap: true,
  });
  for (const row of rows) table.push([...row]);
  return table.toString();
}
