// With which projects an image is shared; and, for those, whether they take it.
import { useQuery } from '@tanstack/react-query';
import { Alert, Button, Flex, Form, Typography } from 'antd';
import { useState } from 'react';
import { ActionButton } from '../../kit/action-button.tsx';
import { useAction, useConfirm } from '../../kit/action.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { ProjectInput, ProjectName } from '../../kit/project-input.tsx';
import { ResourceTable } from '../../kit/resource-table.tsx';
import { useSession } from '../../kit/session.ts';
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
            render: (member) => <ProjectName id={member.member_id} />,
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
