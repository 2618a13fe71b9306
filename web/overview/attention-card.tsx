// What needs somebody, with the reason that the cloud gives and the next step.
import { CheckCircleOutlined, CloseCircleOutlined, WarningOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Card, Flex, Skeleton, Typography } from 'antd';
import { useMemo } from 'react';
import { hostsQuery } from '../compute/hypervisors/api.ts';
import { useAmount } from '../identity/projects/quota-meter.tsx';
import { quotaNames } from '../identity/projects/quota-names.ts';
import { quotasQuery } from '../identity/projects/quota-api.ts';
import { useText } from '../kit/language.tsx';
import { ResourceLink } from '../kit/link.tsx';
import { Problem } from '../kit/problem.tsx';
import { isOperator, useSession } from '../kit/session.ts';
import { failedQuery } from './api.ts';
import { needsOf, type FailedKind, type Need } from './attention.ts';
import { overviewText } from './text.ts';

const places: Readonly<Record<FailedKind | 'host', string>> = {
  server: '/servers',
  volume: '/volumes',
  router: '/routers',
  floatingIp: '/floating-ips',
  image: '/images',
  host: '/hosts',
};

function NeedLine({ need }: { need: Need }) {
  const t = useText(overviewText);
  const names = useText(quotaNames);
  const amount = useAmount();
  const mild = need.kind === 'quota' || need.next === 'hostDisabled';
  const reason =
    need.kind === 'quota'
      ? t.quotaUsed(amount(need.id, need.quota.used ?? 0), amount(need.id, need.quota.limit))
      : need.kind === 'host'
        ? need.next === 'hostDown'
          ? t.hostDown
          : t.hostDisabled(need.reason)
        : (need.reason ?? t.errorWithoutReason);
  return (
    <li className="need">
      {mild ? <WarningOutlined className="need-mild" /> : <CloseCircleOutlined className="need-bad" />}
      <div className="need-words">
        <div>
          <Typography.Text type="secondary">{t.kinds[need.kind]}</Typography.Text>{' '}
          {need.kind === 'quota' ? (
            <Typography.Text strong>{names[need.id]}</Typography.Text>
          ) : (
            <ResourceLink to={places[need.kind]} id={need.id} name={need.name} />
          )}
        </div>
        <div>{reason}</div>
        <Typography.Text type="secondary">{t.next[need.next]}</Typography.Text>
      </div>
    </li>
  );
}

const SHOWN = 8;

export function AttentionCard({ projectId }: { projectId: string }) {
  const t = useText(overviewText);
  const operator = isOperator(useSession());
  const failed = useQuery(failedQuery(projectId));
  const quotas = useQuery(quotasQuery(projectId));
  const hosts = useQuery({ ...hostsQuery, enabled: operator });
  const needs = useMemo(
    () =>
      failed.data === undefined
        ? undefined
        : needsOf({
            failed: failed.data,
            quotas: Object.values(quotas.data ?? {}).flat(),
            hosts: hosts.data ?? [],
          }),
    [failed.data, quotas.data, hosts.data],
  );
  return (
    <Card size="small" title={t.attention}>
      {failed.error !== null && needs === undefined ? (
        <Problem error={failed.error} retry={() => void failed.refetch()} />
      ) : needs === undefined ? (
        <Skeleton active />
      ) : needs.length === 0 ? (
        <Flex gap={8} align="center">
          <CheckCircleOutlined className="need-none" />
          {t.fine}
        </Flex>
      ) : (
        <>
          <ul className="needs">
            {needs.slice(0, SHOWN).map((need) => (
              <NeedLine key={`${need.kind} ${need.id}`} need={need} />
            ))}
          </ul>
          {needs.length > SHOWN ? (
            <Typography.Text type="secondary">{t.more(needs.length - SHOWN)}</Typography.Text>
          ) : null}
        </>
      )}
    </Card>
  );
}
