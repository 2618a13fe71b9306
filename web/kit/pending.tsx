// What stands in the place of something that was asked for and is not there yet: that it is on its way, or why it did
// not come.
import type { UseQueryResult } from '@tanstack/react-query';
import { Skeleton } from 'antd';
import { Problem } from './problem.tsx';

export function Pending({ query }: { query: Pick<UseQueryResult, 'error' | 'refetch'> }) {
  return query.error === null ? (
    <Skeleton active />
  ) : (
    <Problem error={query.error} retry={() => void query.refetch()} />
  );
}
