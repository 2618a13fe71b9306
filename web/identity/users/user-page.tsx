// One user: the roles it has, and what it did.
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { Button, Descriptions, Skeleton, Tabs } from 'antd';
import { useState } from 'react';
import { ActionButton, ActionMenu } from '../../kit/action-button.tsx';
import { EventList } from '../../audit/event-list.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Problem } from '../../kit/problem.tsx';
import { StateTag } from '../../kit/state.tsx';
import { kitText } from '../../kit/text.ts';
import { DomainName } from '../projects/domain-name.tsx';
import { RolesOf } from '../assignments/roles-of.tsx';
import { userQuery, type User } from './api.ts';
import { userText } from './text.ts';
import { useUserActions } from './use-user-actions.ts';
import { EditUser, SetPassword } from './user-form.tsx';

function Shown({ user }: { user: User }) {
  const t = useText(userText);
  const kit = useText(kitText);
  const format = useFormat();
  const actions = useUserActions();
  const navigate = useNavigate();
  const [editing, setEditing] = useState(false);
  const [renewing, setRenewing] = useState(false);
  const refusal = actions.refusal(user);
  return (
    <PageFrame
      title={user.name}
      crumbs={[{ title: t.title, to: '/users' }]}
      extra={
        <>
          <StateTag state={user.enabled ? 'enabled' : 'disabled'}>
            {user.enabled ? t.enabled : t.disabled}
          </StateTag>
          <Button onClick={() => setEditing(true)}>{kit.edit}</Button>
          <Button onClick={() => setRenewing(true)}>{t.setPassword}</Button>
          {user.enabled ? (
            <ActionButton why={refusal} onClick={() => actions.disable(user)}>
              {t.disable}
            </ActionButton>
          ) : (
            <Button onClick={() => actions.enable(user)}>{t.enable}</Button>
          )}
          <ActionMenu
            label={kit.more}
            items={[
              {
                key: 'delete',
                label: kit.delete,
                danger: true,
                why: refusal,
                run: () => actions.remove([user], () => void navigate({ to: '/users' })),
              },
            ]}
          />
        </>
      }
    >
      <Descriptions
        size="small"
        column={{ xs: 1, md: 2 }}
        items={[
          { key: 'id', label: kit.id, children: <Id id={user.id} /> },
          { key: 'domain', label: t.domain, children: <DomainName id={user.domain_id} /> },
          { key: 'email', label: t.email, children: user.email ?? '' },
          {
            key: 'expires',
            label: t.expires,
            children: user.password_expires_at === null ? t.never : format.time(user.password_expires_at),
          },
        ]}
      />
      <Tabs
        items={[
          { key: 'roles', label: t.roles, children: <RolesOf of={{ kind: 'user', id: user.id }} /> },
          {
            key: 'activity',
            label: t.activity,
            children: <EventList filter={{ user_id: user.id }} limit={20} showUser={false} />,
          },
        ]}
      />
      <EditUser user={editing ? user : null} onClose={() => setEditing(false)} />
      <SetPassword user={renewing ? user : null} onClose={() => setRenewing(false)} />
    </PageFrame>
  );
}

export function UserPage() {
  const t = useText(userText);
  const { id = '' } = useParams({ strict: false }) as { id?: string };
  const query = useQuery(userQuery(id));
  if (query.data !== undefined) return <Shown user={query.data} />;
  return (
    <PageFrame title={t.title} crumbs={[{ title: t.title, to: '/users' }]}>
      {query.error === null ? <Skeleton active /> : <Problem error={query.error} />}
    </PageFrame>
  );
}
