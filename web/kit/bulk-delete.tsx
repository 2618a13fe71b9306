// Deletes what is selected in a list, after it has said what that is and what will be lost.
import { useQueryClient, type QueryKey } from '@tanstack/react-query';
import { Button, Typography } from 'antd';
import { forEach, useConfirm } from './action.tsx';
import { useText } from './language.tsx';
import { kitText } from './text.ts';

type Props<T> = {
  rows: readonly T[];
  /** Of the rows that stay: those are left out, and counted. */
  mayDelete(row: T): boolean;
  nameOf(row: T): string;
  remove(row: T): Promise<unknown>;
  /** What is lost with them. */
  lost: string;
  refresh: QueryKey;
  /** Forgets the selection. */
  clear(): void;
};

const MOST_NAMES = 20;

export function BulkDelete<T>({ rows, mayDelete, nameOf, remove, lost, refresh, clear }: Props<T>) {
  const t = useText(kitText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  const going = rows.filter(mayDelete);
  const ask = (): void =>
    confirm({
      title: t.deleteMany(going.length),
      content: (
        <>
          <Typography.Paragraph>
            {going.slice(0, MOST_NAMES).map(nameOf).join(', ')}
            {going.length > MOST_NAMES ? ' …' : null}
          </Typography.Paragraph>
          <Typography.Paragraph>{lost}</Typography.Paragraph>
          {going.length < rows.length ? t.leftOut(rows.length - going.length) : null}
        </>
      ),
      okText: t.delete,
      async run() {
        try {
          await forEach(going, remove);
          clear();
        } finally {
          await queries.invalidateQueries({ queryKey: refresh });
        }
      },
    });
  return (
    <Button danger disabled={going.length === 0} onClick={ask}>
      {t.delete}
    </Button>
  );
}
