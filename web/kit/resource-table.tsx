// The list of a resource: search, sort, filters, a choice of columns, selection for bulk actions; and what stands in its
// place while it loads, when it is empty and when it failed. Long lists only draw the rows that are in sight.
import { ReloadOutlined, SettingOutlined } from '@ant-design/icons';
import type { UseQueryResult } from '@tanstack/react-query';
import { Button, Checkbox, Empty, Flex, Input, Popover, Table, Typography, type TableColumnType } from 'antd';
import { useDeferredValue, useMemo, useState, type Key, type ReactNode } from 'react';
import { useText } from './language.tsx';
import { Problem } from './problem.tsx';
import { kitText } from './text.ts';
import { useViewport } from './viewport.ts';

export type Column<T> = {
  key: string;
  title: string;
  render(row: T): ReactNode;
  /** What the column is sorted and searched by; absent: neither. */
  value?(row: T): string | number | null | undefined;
  /** A menu of the values that occur. */
  filter?: boolean;
  /** Shown only when its user asks for it. */
  hidden?: boolean;
  /** Pixels. */
  width?: number;
};

type Props<T extends object> = {
  /** Of the resource, for the kept choice of columns; e.g. 'servers'. */
  name: string;
  /** Read aloud in place of a caption. */
  label: string;
  query: Pick<UseQueryResult<T[]>, 'data' | 'error' | 'isPending' | 'isFetching' | 'refetch'>;
  columns: readonly Column<T>[];
  rowKey(row: T): string;
  /** Buttons left of the search. */
  toolbar?: ReactNode;
  /** Buttons for the rows that are selected; without it nothing can be selected. */
  bulk?(rows: readonly T[], clear: () => void): ReactNode;
  /** What stands in the place of an empty list, e.g. a button that makes the first. */
  empty?: ReactNode;
};

/** From here on only what is in sight is drawn. */
const VIRTUAL_FROM = 100;
const COLUMN_PX = 150;
// Bars, title and toolbar above the table.
const ABOVE_PX = 290;

function useChosenColumns<T>(name: string, columns: readonly Column<T>[]) {
  const key = `strata-columns-${name}`;
  const [chosen, setChosen] = useState<readonly string[]>(() => {
    const kept = localStorage.getItem(key);
    return kept === null
      ? columns.filter(({ hidden }) => hidden !== true).map((column) => column.key)
      : kept.split(',');
  });
  return [
    chosen,
    (next: readonly string[]): void => {
      setChosen(next);
      localStorage.setItem(key, next.join(','));
    },
  ] as const;
}

const compare = (a: string | number | null | undefined, b: string | number | null | undefined): number => {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a ?? '').localeCompare(String(b ?? ''), undefined, { numeric: true });
};

function tableColumn<T>(column: Column<T>, rows: readonly T[]): TableColumnType<T> {
  const { value } = column;
  const choices =
    column.filter === true && value !== undefined
      ? [...new Set(rows.map((row) => String(value(row) ?? '')))]
          .filter((one) => one !== '')
          .toSorted(compare)
      : [];
  return {
    key: column.key,
    title: column.title,
    ...(column.width === undefined ? {} : { width: column.width }),
    render: (_: unknown, row: T) => column.render(row),
    ...(value === undefined ? {} : { sorter: (a: T, b: T) => compare(value(a), value(b)) }),
    ...(choices.length < 2 || value === undefined
      ? {}
      : {
          filters: choices.map((one) => ({ text: one, value: one })),
          filterSearch: choices.length > 8,
          onFilter: (wanted: Key | boolean, row: T) => String(value(row) ?? '') === wanted,
        }),
  };
}

export function ResourceTable<T extends object>(props: Props<T>) {
  const { query, columns, rowKey, bulk } = props;
  const t = useText(kitText);
  const viewport = useViewport();
  const [chosen, setChosen] = useChosenColumns(props.name, columns);
  const [search, setSearch] = useState('');
  const wanted = useDeferredValue(search.trim().toLowerCase());
  const [selected, setSelected] = useState<readonly Key[]>([]);

  const all = query.data;
  const rows = useMemo(() => {
    if (all === undefined || wanted === '') return all ?? [];
    return all.filter(
      (row) =>
        rowKey(row).toLowerCase().includes(wanted) ||
        columns.some(({ value }) =>
          String(value?.(row) ?? '')
            .toLowerCase()
            .includes(wanted),
        ),
    );
  }, [all, wanted, columns, rowKey]);
  const shown = useMemo(
    () => columns.filter(({ key }) => chosen.includes(key)).map((column) => tableColumn(column, all ?? [])),
    [columns, chosen, all],
  );
  const selectedRows = useMemo(() => {
    const keys = new Set(selected);
    return (all ?? []).filter((row) => keys.has(rowKey(row)));
  }, [all, selected, rowKey]);

  if (query.error !== null && all === undefined)
    return <Problem error={query.error} retry={() => void query.refetch()} />;
  const virtual = rows.length > VIRTUAL_FROM;
  const width = shown.reduce((sum, { width: own }) => sum + (typeof own === 'number' ? own : COLUMN_PX), 0);
  return (
    <Flex vertical gap={12}>
      <Flex gap={8} wrap align="center">
        {props.toolbar}
        {bulk !== undefined && selectedRows.length > 0 ? (
          <>
            <Typography.Text type="secondary">{t.selected(selectedRows.length)}</Typography.Text>
            {bulk(selectedRows, () => setSelected([]))}
          </>
        ) : null}
        <Flex gap={8} className="table-tools">
          <Input.Search
            allowClear
            placeholder={t.search}
            aria-label={t.search}
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
          <Popover
            trigger="click"
            placement="bottomRight"
            content={
              <Checkbox.Group
                className="column-choice"
                value={[...chosen]}
                options={columns.map(({ key, title }) => ({ value: key, label: title }))}
                onChange={setChosen}
              />
            }
          >
            <Button icon={<SettingOutlined />} aria-label={t.columns} title={t.columns} />
          </Popover>
          <Button
            icon={<ReloadOutlined />}
            loading={query.isFetching}
            aria-label={t.refresh}
            title={t.refresh}
            onClick={() => void query.refetch()}
          />
        </Flex>
      </Flex>
      {query.error === null ? null : <Problem error={query.error} retry={() => void query.refetch()} />}
      <Table<T>
        aria-label={props.label}
        size="middle"
        loading={query.isPending}
        columns={shown}
        dataSource={rows}
        rowKey={rowKey}
        pagination={false}
        virtual={virtual}
        scroll={virtual ? { x: width, y: Math.max(viewport.height - ABOVE_PX, 240) } : { x: 'max-content' }}
        {...(bulk === undefined
          ? {}
          : { rowSelection: { selectedRowKeys: [...selected], onChange: setSelected, columnWidth: 40 } })}
        locale={{
          emptyText: query.isPending ? (
            ' '
          ) : (
            <Empty
              image={Empty.PRESENTED_IMAGE_SIMPLE}
              description={wanted === '' ? t.nothing : t.nothingFound}
            >
              {wanted === '' ? props.empty : null}
            </Empty>
          ),
        }}
      />
      {rows.length > 10 ? <Typography.Text type="secondary">{t.total(rows.length)}</Typography.Text> : null}
    </Flex>
  );
}
