// Quotas, a card for each service that keeps some.
import { Card, Col, Flex, Row, Typography } from 'antd';
import { useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { QuotaMeter, useAmount } from './quota-meter.tsx';
import { quotaNames } from './quota-names.ts';
import { quotaGroupNames, type Quotas } from './quotas.ts';
import { projectText } from './text.ts';

function Limit({ value, text }: { value: number; text: string }) {
  const kit = useText(kitText);
  return (
    <Typography.Text type="secondary" className="meter-figure">
      {value < 0 ? kit.unlimited : text}
    </Typography.Text>
  );
}

export function QuotaCards({ quotas }: { quotas: Quotas }) {
  const t = useText(projectText);
  const names = useText(quotaNames);
  const amount = useAmount();
  return (
    <Row gutter={[16, 16]}>
      {quotaGroupNames.map((group) => (
        <Col key={group} xs={24} md={12} xl={8}>
          <Card title={t[group]} size="small">
            <Flex vertical gap={12}>
              {quotas[group].map((quota) =>
                quota.used === null ? (
                  <Flex key={quota.name} justify="space-between" gap={8} wrap>
                    <Typography.Text>{names[quota.name]}</Typography.Text>
                    <Limit value={quota.limit} text={amount(quota.name, quota.limit)} />
                  </Flex>
                ) : (
                  <QuotaMeter key={quota.name} quota={quota} />
                ),
              )}
            </Flex>
          </Card>
        </Col>
      ))}
    </Row>
  );
}
