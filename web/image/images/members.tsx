// With which projects an image is shared; and, for those, whether they take it.
import { useQuery } from '@tanstack/react-query';
import { Alert, Button, Flex, Form, Input, Select, Typography } from 'antd';
import { useState } from 'react';
import { ActionButton } from '../../kit/action-button.tsx';
import { useAction, useConfirm } from '../../kit/action.tsx';
import { api } from '../../kit/api.ts';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id } from '../../kit/link.tsx';
import { ResourceTable } from '../../kit/resource-table.tsx';
import { isOperator, useSession, type Named } from '../../kit/session.ts';
import { StateTag } from '../../kit/state.tsx';
import { kitText } from '../../kit/text.ts';
import { answerShare, membersQuery, patchImage, share, unshare, type Image, type Member } from './api.ts';
import { imageText } from './text.ts';

const REFRESH = [['images']];
const TONE = { pending: 'pending', accepted: 'active', rejected: 'disabled' } as const;

function useAnswer(image: Image) {
  const { project } = useSession();
  return useAction<Member['status']>({
    refresh: REFRESH,
    run: (status) => answerShare(image.id, project?.id ?? '', status),
  });
}

/** For an image that another project shares with this one. */
export function ShareAnswer({ image, compact = false }: { image: Image; compact?: boolean }) {
  const t = useText(imageText);
  const { project } = useSession();
  const members = useQuery(membersQuery(image.id));
  const answer = useAnswer(image);
  const mine = members.data?.find(({ member_id: id }) => id === project?.id);
  if (mine === undefined) return null;
  const buttons = (
    <Flex gap={8} wrap>
      {mine.status === 'accepted' ? null : (
        <Button
          size="small"
          type="primary"
          loading={answer.isPending}
          onClick={() => answer.mutate('accepted')}
        >
          {t.accept}
        </Button>
      )}
      {mine.status === 'rejected' ? null : (
        <Button size="small" loading={answer.isPending} onClick={() => answer.mutate('rejected')}>
          {t.reject}
        </Button>
      )}
    </Flex>
  );
  if (compact)
    return mine.status === 'pending' ? (
      buttons
    ) : (
      <StateTag state={TONE[mine.status]}>{t.memberStates[mine.status]}</StateTag>
    );
  return <Alert type="info" showIcon title={t.sharedWithYou[mine.status]} action={buttons} />;
}

/** An operator chooses among all projects; others know the id of the one they mean. */
function ProjectInput({
  value,
  onChange,
  id,
}: {
  value?: string;
  onChange?(value: string): void;
  id?: string;
}) {
  const t = useText(imageText);
  const session = useSession();
  const operator = isOperator(session);
  const projects = useQuery({
    queryKey: ['projects', 'names'],
    queryFn: async ({ signal }) =>
      (await api.get<{ projects: Named[] }>('/identity/v3/projects', {}, signal)).projects,
    enabled: operator,
  });
  if (!operator)
    return <Input id={id} value={value} onChange={(event) => onChange?.(event.target.value.trim())} />;
  return (
    <Select
      id={id}
      value={value}
      onChange={onChange}
      loading={projects.isPending}
      showSearch={{ optionFilterProp: 'label' }}
      placeholder={t.chooseProject}
      options={(projects.data ?? []).map((project) => ({
        value: project.id,
        label: `${project.name} (${project.id.slice(0, 8)})`,
      }))}
    />
  );
}

export function Members({ image, why }: { image: Image; why: string | null }) {
  const t = useText(imageText);
  const k = useText(kitText);
  const f = useFormat();
  const confirm = useConfirm();
  const members = useQuery(membersQuery(image.id));
  const [adding, setAdding] = useState(false);
  const makeShared = useAction({
    refresh: REFRESH,
    run: () => patchImage(image.id, [{ op: 'replace', path: '/visibility', value: 'shared' }]),
  });
  if (image.visibility !== 'shared')
    return (
      <Alert
        type="info"
        showIcon
        title={t.notShared(t.visibilities[image.visibility])}
        action={
          <ActionButton
            size="small"
            why={why}
            loading={makeShared.isPending}
            onClick={() => makeShared.mutate()}
          >
            {t.makeShared}
          </ActionButton>
        }
      />
    );
  return (
    <>
      <Typography.Paragraph type="secondary">{t.membersHint}</Typography.Paragraph>
      <ResourceTable<Member>
        name="image-members"
        label={t.members}
        query={members}
        rowKey={(member) => member.member_id}
        toolbar={
          <ActionButton type="primary" why={why} onClick={() => setAdding(true)}>
            {t.addMember}
          </ActionButton>
        }
        columns={[
          {
            key: 'member',
            title: k.project,
            value: (member) => member.member_id,
            render: (member) => <Id id={member.member_id} />,
          },
          {
            key: 'status',
            title: k.state,
            value: (member) => t.memberStates[member.status],
            render: (member) => (
              <StateTag state={TONE[member.status]}>{t.memberStates[member.status]}</StateTag>
            ),
          },
          {
            key: 'since',
            title: k.created,
            value: (member) => member.created_at,
            render: (member) => f.time(member.created_at),
          },
          {
            key: 'actions',
            title: k.actions,
            render: (member) => (
              <ActionButton
                size="small"
                danger
                why={why}
                onClick={() =>
                  confirm({
                    title: t.unshareTitle(member.member_id),
                    content: t.unshareContent,
                    okText: t.unshare,
                    async run() {
                      await unshare(image.id, member.member_id);
                      await members.refetch();
                    },
                  })
                }
              >
                {t.unshare}
              </ActionButton>
            ),
          },
        ]}
      />
      <FormDialog<{ member: string }>
        title={t.addMember}
        open={adding}
        onClose={() => setAdding(false)}
        initial={{}}
        okText={t.share}
        submit={async ({ member }) => {
          await share(image.id, member);
          await members.refetch();
        }}
      >
        <Form.Item
          name="member"
          label={k.project}
          extra={t.memberHint}
          rules={[{ required: true, message: k.required }]}
        >
          <ProjectInput />
        </Form.Item>
      </FormDialog>
    </>
  );
}
