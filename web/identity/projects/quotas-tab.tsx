// The quotas of a project: what is in use, and the limits to change.
import { EditOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { App, Button, Card, Col, Flex, Form, InputNumber, Row, Skeleton, Typography } from 'antd';
import { useState } from 'react';
import { useConfirm } from '../../kit/action.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { Problem } from '../../kit/problem.tsx';
import { kitText } from '../../kit/text.ts';
import type { Project } from './api.ts';
import { quotasQuery, resetQuotas, setQuotas } from './quota-api.ts';
import { QuotaMeter, useAmount } from './quota-meter.tsx';
import { quotaNames } from './quota-names.ts';
import { quotaGroups, type QuotaGroup, type QuotaName, type Quotas, type QuotaValues } from './quotas.ts';
import { projectText } from './text.ts';

const groupNames = Object.keys(quotaGroups) as QuotaGroup[];
const units: Partial<Record<QuotaName, string>> = {
  ram: 'MiB',
  gigabytes: 'GiB',
  per_volume_gigabytes: 'GiB',
  backup_gigabytes: 'GiB',
};

function EditQuotas({
  project,
  quotas,
  open,
  onClose,
}: {
  project: Project;
  quotas: Quotas;
  open: boolean;
  onClose(): void;
}) {
  const t = useText(projectText);
  const kit = useText(kitText);
  const names = useText(quotaNames);
  const amount = useAmount();
  const queries = useQueryClient();
  const { message } = App.useApp();
  return (
    <FormDialog<QuotaValues>
      title={t.editQuotas}
      okText={kit.save}
      width={860}
      open={open}
      onClose={onClose}
      initial={
        Object.fromEntries(
          Object.values(quotas)
            .flat()
            .map(({ name, limit }) => [name, limit]),
        ) as QuotaValues
      }
      submit={async (wanted) => {
        try {
          await setQuotas(project.id, quotas, wanted);
        } finally {
          await queries.invalidateQueries({ queryKey: ['quotas', project.id] });
        }
        message.success(t.quotasChanged);
      }}
    >
      <Typography.Text type="secondary">{t.noLimit}</Typography.Text>
      {groupNames.map((group) => (
        <fieldset key={group} className="plain">
          <legend>
            <Typography.Text strong>{t[group]}</Typography.Text>
          </legend>
          <Row gutter={16}>
            {quotas[group].map(({ name, used }) => (
              <Col key={name} xs={24} sm={12} md={8}>
                <Form.Item
                  name={name}
                  label={names[name]}
                  extra={used === null ? null : t.inUse(amount(name, used))}
                  rules={[{ required: true, message: kit.required }]}
                >
                  <InputNumber
                    min={-1}
                    max={2_147_483_647}
                    precision={0}
                    suffix={units[name] ?? null}
                    style={{ width: '100%' }}
                  />
                </Form.Item>
              </Col>
            ))}
          </Row>
        </fieldset>
      ))}
    </FormDialog>
  );
}

export function QuotasTab({ project }: { project: Project }) {
  const t = useText(projectText);
  const names = useText(quotaNames);
  const amount = useAmount();
  const confirm = useConfirm();
  const queries = useQueryClient();
  const query = useQuery(quotasQuery(project.id));
  const [editing, setEditing] = useState(false);
  if (query.data === undefined)
    return query.error === null ? (
      <Skeleton active />
    ) : (
      <Problem error={query.error} retry={() => void query.refetch()} />
    );
  const quotas = query.data;
  return (
    <Flex vertical gap={16}>
      <Flex gap={8} wrap>
        <Button icon={<EditOutlined />} onClick={() => setEditing(true)}>
          {t.editQuotas}
        </Button>
        <Button
          onClick={() =>
            confirm({
              title: t.resetTitle(project.name),
              content: t.resetLoses,
              okText: t.reset,
              run: async () => {
                await resetQuotas(project.id);
                await queries.invalidateQueries({ queryKey: ['quotas', project.id] });
              },
            })
          }
        >
          {t.reset}
        </Button>
      </Flex>
      <Row gutter={[16, 16]}>
        {groupNames.map((group) => (
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
      <EditQuotas project={project} quotas={quotas} open={editing} onClose={() => setEditing(false)} />
    </Flex>
  );
}

function Limit({ value, text }: { value: number; text: string }) {
  const kit = useText(kitText);
  return (
    <Typography.Text type="secondary" className="meter-figure">
      {value < 0 ? kit.unlimited : text}
    </Typography.Text>
  );
}
