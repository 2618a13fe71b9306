// One page that makes servers: what is needed is filled in already, what is seldom needed is folded away.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import {
  Alert,
  App,
  Button,
  Card,
  Col,
  Collapse,
  Flex,
  Form,
  Input,
  InputNumber,
  Row,
  type FormInstance,
} from 'antd';
import { useState } from 'react';
import { ApiError } from '../../../kit/api.ts';
import { useText } from '../../../kit/language.tsx';
import { PageFrame } from '../../../kit/page.tsx';
import { Problem } from '../../../kit/problem.tsx';
import { isReader, useSession } from '../../../kit/session.ts';
import { flavorsQuery } from '../api.ts';
import { AccessFields } from './access-fields.tsx';
import { createServers, limitsQuery } from './api.ts';
import { MoreFields } from './more-fields.tsx';
import { NetworkFields } from './network-fields.tsx';
import { roomFor } from './quota.ts';
import { fieldOf, requestOf, type CreateForm, type Source } from './request.ts';
import { SidePanel } from './side-panel.tsx';
import { FlavorField, SourceFields } from './source-fields.tsx';
import { createText } from './text.ts';
import { useDefaults } from './use-defaults.ts';

/** e.g. /servers/create?image=…, ?volume=… or ?snapshot=…: from the page of what is to be booted. */
type Asked = { image?: string; volume?: string; snapshot?: string };

function initialOf({ image, volume, snapshot }: Asked): CreateForm {
  const source: Source = volume !== undefined ? 'volume' : snapshot !== undefined ? 'snapshot' : 'image';
  return {
    name: '',
    source,
    imageId: image,
    volumeId: volume,
    snapshotId: snapshot,
    volumeGoes: source !== 'volume',
    networkIds: [],
    groupIds: [],
    configDrive: false,
    metadata: [],
    count: 1,
  };
}

function CountField() {
  const t = useText(createText);
  const form = Form.useFormInstance<CreateForm>();
  const flavorId = Form.useWatch('flavorId', form);
  const { data: limits } = useQuery(limitsQuery);
  const { data: flavors = [] } = useQuery(flavorsQuery);
  const flavor = flavors.find(({ id }) => id === flavorId);
  const room = limits === undefined || flavor === undefined ? null : roomFor(limits, flavor);
  return (
    <Form.Item
      name="count"
      label={t.count}
      extra={room === null ? t.countHint : `${t.countHint} ${t.room(room)}`}
      rules={[{ required: true, message: t.needed }]}
    >
      <InputNumber min={1} max={1000} precision={0} />
    </Form.Item>
  );
}

function useSend(form: FormInstance<CreateForm>) {
  const t = useText(createText);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { message } = App.useApp();
  const [error, setError] = useState<unknown>(null);
  const [sending, setSending] = useState(false);
  const send = async (): Promise<void> => {
    const values = form.getFieldsValue(true) as CreateForm;
    const body = requestOf(values);
    if (body === null) return;
    setSending(true);
    setError(null);
    try {
      const { id } = await createServers(body);
      void queries.invalidateQueries({ queryKey: ['servers'] });
      void message.success(t.requested(values.name));
      await navigate({ to: (values.count ?? 1) > 1 ? '/servers' : `/servers/${id}` });
    } catch (reason) {
      setError(reason);
      const field = reason instanceof ApiError ? fieldOf(reason.field, reason.message) : null;
      if (field !== null)
        form.setFields([{ name: field, errors: [reason instanceof Error ? reason.message : ''] }]);
      // Quota and room are not what they were.
      void queries.invalidateQueries({ queryKey: ['servers', 'limits'] });
      void queries.invalidateQueries({ queryKey: ['servers', 'placement'] });
    } finally {
      setSending(false);
    }
  };
  return { send, sending, error };
}

function SendButton({ sending }: { sending: boolean }) {
  const t = useText(createText);
  const form = Form.useFormInstance<CreateForm>();
  const count = Form.useWatch('count', form) ?? 1;
  return (
    <Button type="primary" size="large" htmlType="submit" loading={sending}>
      {count > 1 ? t.sendMany(count) : t.send}
    </Button>
  );
}

function CreateServerForm() {
  const t = useText(createText);
  const navigate = useNavigate();
  const asked = useSearch({ strict: false }) as Asked;
  const [form] = Form.useForm<CreateForm>();
  const [initial] = useState(() => initialOf(asked));
  const { send, sending, error } = useSend(form);
  useDefaults(form);
  return (
    <Form<CreateForm>
      form={form}
      layout="vertical"
      requiredMark="optional"
      initialValues={initial}
      onFinish={() => void send()}
      scrollToFirstError
    >
      <Row gutter={[24, 16]}>
        <Col xs={24} lg={15} xl={16}>
          <Flex vertical gap={16}>
            <Card size="small" title={t.basics}>
              <Row gutter={16}>
                <Col xs={24} sm={14}>
                  <Form.Item
                    name="name"
                    label={t.name}
                    rules={[{ required: true, whitespace: true, message: t.needed }]}
                  >
                    <Input maxLength={255} />
                  </Form.Item>
                </Col>
                <Col xs={24} sm={10}>
                  <CountField />
                </Col>
              </Row>
              <SourceFields />
              <FlavorField />
            </Card>
            <Card size="small" title={t.networking}>
              <NetworkFields />
            </Card>
            <Card size="small" title={t.access}>
              <AccessFields />
            </Card>
            <Collapse items={[{ key: 'more', label: t.more, children: <MoreFields />, forceRender: true }]} />
          </Flex>
        </Col>
        <Col xs={24} lg={9} xl={8}>
          <div className="beside">
            <SidePanel form={form} initial={initial} />
            <Flex vertical gap={12} style={{ marginTop: 16 }}>
              {error === null ? null : <Problem error={error} />}
              <SendButton sending={sending} />
              <Button size="large" onClick={() => void navigate({ to: '/servers' })}>
                {t.cancel}
              </Button>
            </Flex>
          </div>
        </Col>
      </Row>
    </Form>
  );
}

export function CreatePage() {
  const t = useText(createText);
  const session = useSession();
  const why = isReader(session) ? t.readOnly : session.project === null ? t.noProject : null;
  return (
    <PageFrame title={t.title} crumbs={[{ title: t.servers, to: '/servers' }]}>
      {why === null ? <CreateServerForm /> : <Alert type="info" showIcon title={why} />}
    </PageFrame>
  );
}
