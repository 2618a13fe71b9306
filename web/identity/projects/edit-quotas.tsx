// Changing limits, of a project or of all that have none of their own.
import { App, Col, Form, InputNumber, Row, Typography } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { kitText } from '../../kit/text.ts';
import { useAmount } from './quota-meter.tsx';
import { quotaNames } from './quota-names.ts';
import { quotaGroupNames, type QuotaName, type Quotas, type QuotaValues } from './quotas.ts';
import { projectText } from './text.ts';

const units: Partial<Record<QuotaName, string>> = {
  ram: 'MiB',
  gigabytes: 'GiB',
  per_volume_gigabytes: 'GiB',
  backup_gigabytes: 'GiB',
};

export function EditQuotas({
  title,
  quotas,
  save,
  open,
  onClose,
}: {
  title: string;
  quotas: Quotas;
  /** All that is in the form, changed or not. */
  save(wanted: QuotaValues): Promise<unknown>;
  open: boolean;
  onClose(): void;
}) {
  const t = useText(projectText);
  const kit = useText(kitText);
  const names = useText(quotaNames);
  const amount = useAmount();
  const { message } = App.useApp();
  return (
    <FormDialog<QuotaValues>
      title={title}
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
        await save(wanted);
        message.success(t.quotasChanged);
      }}
    >
      <Typography.Text type="secondary">{t.noLimit}</Typography.Text>
      {quotaGroupNames
        .filter((group) => quotas[group].length > 0)
        .map((group) => (
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
