// The door: who are you, and the same again when a session has ended on an open page.
import { Button, Card, Flex, Form, Input, Modal, Typography } from 'antd';
import { useState } from 'react';
import { ApiError } from '../kit/api.ts';
import { useText } from '../kit/language.tsx';
import { Problem } from '../kit/problem.tsx';
import { endSession, startSession, type Session } from '../kit/session.ts';
import { signIn, type Credentials } from '../kit/sign-in.ts';
import icon from './icon.svg';
import { Preferences } from './preferences.tsx';
import { appText } from './text.ts';

function SignInForm({ initial, session }: { initial: Partial<Credentials>; session?: Session }) {
  const t = useText(appText);
  const [error, setError] = useState<unknown>(null);
  const [sending, setSending] = useState(false);
  const send = async (values: Credentials): Promise<void> => {
    setSending(true);
    setError(null);
    try {
      startSession(await signIn({ ...initial, ...values }, session?.project?.id));
    } catch (reason) {
      setError(
        reason instanceof ApiError && reason.status === 401
          ? new ApiError(400, t.wrong, reason.requestId)
          : reason,
      );
      setSending(false);
    }
  };
  const again = session !== undefined;
  return (
    <Form<Credentials>
      layout="vertical"
      initialValues={initial}
      onFinish={(values) => void send(values)}
      requiredMark={false}
    >
      {again ? null : (
        <Form.Item name="domain" label={t.domain} rules={[{ required: true }]}>
          <Input autoComplete="organization" />
        </Form.Item>
      )}
      <Form.Item name="user" label={t.user} rules={[{ required: true }]}>
        <Input autoComplete="username" autoFocus={!again} disabled={again} />
      </Form.Item>
      <Form.Item name="password" label={t.password} rules={[{ required: true }]}>
        <Input.Password autoComplete="current-password" autoFocus={again} />
      </Form.Item>
      <Flex vertical gap={12}>
        {error === null ? null : <Problem error={error} />}
        <Button type="primary" htmlType="submit" block loading={sending}>
          {t.signIn}
        </Button>
      </Flex>
    </Form>
  );
}

export function SignInPage() {
  const t = useText(appText);
  return (
    <main className="door">
      <title>Strata</title>
      <Card className="door-card">
        <Flex justify="space-between" align="start">
          <Flex gap={12} align="center" className="door-brand">
            <img src={icon} alt="" width={40} height={40} />
            <Typography.Title level={1} className="page-title">
              Strata
            </Typography.Title>
          </Flex>
          <Flex>
            <Preferences />
          </Flex>
        </Flex>
        <Typography.Paragraph type="secondary">{t.tagline}</Typography.Paragraph>
        <SignInForm initial={{ domain: 'Default' }} />
      </Card>
    </main>
  );
}

/** Over the page on which the session ended, which stays as it is below. */
export function SignInAgain({ session }: { session: Session }) {
  const t = useText(appText);
  return (
    <Modal
      open
      title={t.expiredTitle}
      closable={false}
      zIndex={2000}
      footer={
        <Button type="link" onClick={endSession}>
          {t.signOut}
        </Button>
      }
    >
      <Typography.Paragraph>{t.expired}</Typography.Paragraph>
      <SignInForm session={session} initial={{ domain: session.user.domain.name, user: session.user.name }} />
    </Modal>
  );
}
