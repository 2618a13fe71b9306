// The name of a domain, for who may read the domains.
import { useQuery } from '@tanstack/react-query';
import { domainsQuery } from './api.ts';

export function DomainName({ id }: { id: string }) {
  const { data } = useQuery(domainsQuery);
  return <span title={id}>{data?.find((one) => one.id === id)?.name ?? id}</span>;
}
