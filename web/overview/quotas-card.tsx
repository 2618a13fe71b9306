// What the project has left of its quotas.
import { useQuery } from '@tanstack/react-query';
import { Card, Col, Flex, Row, Typography } from 'antd';
import { QuotaMeter } from '../identity/projects/quota-meter.tsx';
import { quotasQuery } from '../identity/projects/quota-api.ts';
import type { QuotaGroup, QuotaName } from '../identity/projects/quotas.ts';
import { useText } from '../kit/language.tsx';
import { Pending } from '../kit/pending.tsx';
import { overviewText } from './text.ts';

/** What people run into; the page of a project has all. */
const shown: Readonly<Record<QuotaGroup, readonly QuotaName[]>> = {
  compute: ['instances', 'cores', 'ram', 'server_groups'],
  storage: ['volumes', 'gigabytes', 'snapshots', 'backups'],
  network: ['network', 'router', 'floatingip', 'security_group', 'port'],
};

export function QuotasCard({ projectId }: { projectId: string }) {
  const t = useText(overviewText);
  const query = useQuery(quotasQuery(projectId));
  return (
    <Card size="small" title={t.quotas}>
      {query.data === undefined ? (
        <Pending query={query} />
      ) : (
        <Row gutter={[32, 20]}>
          {(Object.keys(shown) as QuotaGroup[]).map((group) => (
            <Col key={group} xs={24} md={8}>
              <Flex vertical gap={10}>
                <Typography.Title level={2} className="card-section">
                  {t[group]}
                </Typography.Title>
                {shown[group].map((name) => {
                  const quota = query.data[group].find((one) => one.name === name);
                  return quota === undefined ? null : <QuotaMeter key={name} quota={quota} />;
                })}
              </Flex>
            </Col>
          ))}
        </Row>
      )}
    </Card>
  );
}
