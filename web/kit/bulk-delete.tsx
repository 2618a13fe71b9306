// Deletes what is selected in a list, after it has said what that is and what will be lost.
import { useQueryClient, type QueryKey } from '@tanstack/react-query';
import { DeleteOutlined } from '@ant-design/icons';
import { Typography } from 'antd';
import { forEach, useConfirm } from './action.tsx';
import { ChangeButton } from './change-button.tsx';
import { useText } from './language.tsx';
import { kitText } from './text.ts';

type Props<T> = {
  rows: readonly T[];
  /** Of the rows that stay: those are left out, and counted. Absent: all may go. */
  mayDelete?(row: T): boolean;
  nameOf(row: T): string;
  remove(row: T): Promise<unknown>;
  /** What is lost with them. */
  lost: string;
  refresh: readonly QueryKey[];
  /** What it is called here, e.g. 'Release'; default: 'Delete'. */
  verb?: string;
  /** Forgets the selection. */
  clear(): void;
};

const MOST_NAMES = 20;

export function BulkDelete<T>({ rows, mayDelete, nameOf, remove, lost, refresh, verb, clear }: Props<T>) {
  const t = useText(kitText);
  const confirm = useConfirm();
  const queries = useQueryClient();
  const going = mayDelete === undefined ? rows : rows.filter(mayDelete);
  const ask = (): void =>
    confirm({
      title: verb === undefined ? t.deleteMany(going.length) : t.doToMany(verb, going.length),
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
      okText: verb ?? t.delete,
      async run() {
        try {
          await forEach(going, remove);
          clear();
        } finally {
          await Promise.all(refresh.map((queryKey) => queries.invalidateQueries({ queryKey })));
        }
      },
    });
  return (
    <ChangeButton
      danger
      icon={<DeleteOutlined aria-hidden />}
      why={going.length === 0 ? t.leftOut(rows.length) : null}
      onClick={ask}
    >
      {verb ?? t.delete}
    </ChangeButton>
  );
}
