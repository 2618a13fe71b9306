// Beside the create form: what the servers would take of the quota, and whether and where a host has room for them.
import { useQuery } from '@tanstack/react-query';
import { Alert, Card, Flex, Form, Progress, Spin, Typography, type FormInstance } from 'antd';
import { useEffect, useState } from 'react';
import { useFormat, useText } from '../../../kit/language.tsx';
import { Problem } from '../../../kit/problem.tsx';
import { toneColour } from '../../../kit/state.tsx';
import { flavorsQuery } from '../api.ts';
import { Refusals } from '../refusals.tsx';
import { nameIn } from '../states-text.ts';
import { limitsQuery, placementQuery, type Placement } from './api.ts';
import { quotaLine, quotaLines, type QuotaLine } from './quota.ts';
import { requestOf, type CreateForm } from './request.ts';
import { createText } from './text.ts';

/** Until typing has paused for this long the scheduler is not asked. */
const PAUSE_MS = 400;

function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

function useAmount(): (resource: string, value: number) => string {
  const format = useFormat();
  return (resource, value) =>
    resource === 'ram'
      ? format.mib(value)
      : resource === 'gigabytes'
        ? `${format.number(value)} GiB`
        : format.number(value);
}

function QuotaBar({ line: { resource, used, takes, limit, fits }, name }: { line: QuotaLine; name: string }) {
  const t = useText(createText);
  const amount = useAmount();
  const share = (value: number): number => (limit <= 0 ? 0 : Math.min(100, (value / limit) * 100));
  const said = `${amount(resource, used)} / ${limit < 0 ? t.unlimited : amount(resource, limit)}`;
  const took = takes === 0 ? '' : t.takes(amount(resource, takes));
  return (
    <div>
      <Flex justify="space-between" gap={8} wrap>
        <span>{name}</span>
        <Typography.Text type={fits ? 'secondary' : 'danger'}>
          {said}
          {took === '' ? '' : ` · ${took}`}
        </Typography.Text>
      </Flex>
      <Progress
        aria-label={`${name}: ${said} ${took}`}
        percent={share(used + takes)}
        success={{ percent: share(used), strokeColor: toneColour.idle }}
        strokeColor={fits ? toneColour.busy : toneColour.bad}
        showInfo={false}
        size="small"
      />
    </div>
  );
}

/** What the limits do not tell, the dry run does: ports, volumes, and limits of the user. */
const linesOf = (placement: Placement | undefined): readonly { line: QuotaLine; ofUser: boolean }[] =>
  (placement?.quota ?? [])
    .filter(({ resource, of }) => of === 'user' || !['instances', 'cores', 'ram'].includes(resource))
    .map(({ resource, of, in_use, requested, limit }) => ({
      line: quotaLine(resource, in_use, requested, limit),
      ofUser: of === 'user',
    }));

function Quota({ values, placement }: { values: CreateForm; placement: Placement | undefined }) {
  const t = useText(createText);
  const limits = useQuery(limitsQuery);
  const { data: flavors = [] } = useQuery(flavorsQuery);
  const flavor = flavors.find(({ id }) => id === values.flavorId);
  if (limits.data === undefined)
    return limits.error === null ? (
      <Spin />
    ) : (
      <Problem error={limits.error} retry={() => void limits.refetch()} />
    );
  const own = quotaLines(limits.data, flavor, values.count ?? 1);
  const others = linesOf(placement);
  return (
    <Flex vertical gap={8}>
      {own.map((line) => (
        <QuotaBar key={line.resource} line={line} name={nameIn(t.resources, line.resource)} />
      ))}
      {others.map(({ line, ofUser }) => {
        const name = nameIn(t.resources, line.resource);
        return (
          <QuotaBar
            key={`${line.resource}-${String(ofUser)}`}
            line={line}
            name={ofUser ? t.quotaOf(name) : name}
          />
        );
      })}
      {own.every(({ fits }) => fits) && others.every(({ line }) => line.fits) ? null : (
        <Alert type="warning" showIcon title={t.over} />
      )}
    </Flex>
  );
}

function PlacementAnswer({ placement }: { placement: Placement }) {
  const t = useText(createText);
  if (placement.possible)
    return (
      <Alert
        type="success"
        showIcon
        title={t.possible(placement.servers)}
        description={placement.zone === null ? undefined : t.where(placement.zone, placement.host)}
      />
    );
  return (
    <Alert
      type="warning"
      showIcon
      title={t.impossible}
      description={
        <Flex vertical gap={8}>
          {placement.placed < placement.servers ? (
            <>
              <div>
                {placement.servers > 1 ? `${t.placedOf(placement.placed, placement.servers)} ` : ''}
                {t.considered(placement.considered)}
              </div>
              <Refusals refusals={placement.reasons} />
            </>
          ) : (
            <div className="message">{placement.message}</div>
          )}
        </Flex>
      }
    />
  );
}

export function SidePanel({ form, initial }: { form: FormInstance<CreateForm>; initial: CreateForm }) {
  const t = useText(createText);
  const now = Form.useWatch((all: Partial<CreateForm>) => all, { form, preserve: true });
  const values: CreateForm = { ...initial, ...(now as Partial<CreateForm> | undefined) };
  const request = requestOf(values);
  const body = useSettled(request === null ? '' : JSON.stringify(request));
  const placement = useQuery(placementQuery(body));
  return (
    <Flex
      vertical
      gap={16}
      component="aside"
      aria-label={`${t.quota}, ${t.placement}`}
      className="create-side"
    >
      <Card size="small" title={t.quota}>
        <Quota values={values} placement={body === '' ? undefined : placement.data} />
      </Card>
      <Card size="small" title={t.placement} aria-live="polite">
        {body === '' ? (
          <Typography.Text type="secondary">{t.incomplete}</Typography.Text>
        ) : placement.error !== null ? (
          <Problem error={placement.error} />
        ) : placement.data === undefined ? (
          <Typography.Text type="secondary">{t.asking}</Typography.Text>
        ) : (
          <PlacementAnswer placement={placement.data} />
        )}
      </Card>
    </Flex>
  );
}
