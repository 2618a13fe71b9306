// Volumes that change their project: what this one offers, and taking what another offers.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Card, Flex, Form, Input, Typography } from 'antd';
import { ActionButton } from '../../kit/action-button.tsx';
import { useAction } from '../../kit/action.tsx';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useFormat, useText } from '../../kit/language.tsx';
import { Id, ResourceLink } from '../../kit/link.tsx';
import { isReader, useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { acceptOffer, transfersQuery, withdrawOffer, type Volume } from './api.ts';
import { volumeText } from './text.ts';

/** Nothing, where nothing is offered. */
export function Offers({ volumes }: { volumes: readonly Volume[] }) {
  const t = useText(volumeText);
  const k = useText(kitText);
  const f = useFormat();
  const reader = isReader(useSession());
  const offers = useQuery(transfersQuery);
  const withdraw = useAction<string>({ refresh: [['volumes']], run: withdrawOffer });
  if (offers.data === undefined || offers.data.length === 0) return null;
  return (
    <Card size="small" title={t.offers}>
      <Flex vertical gap={8}>
        {offers.data.map((offer) => (
          <Flex key={offer.id} gap={12} align="center" wrap>
            <ResourceLink
              to="/volumes"
              id={offer.volume_id}
              name={volumes.find(({ id }) => id === offer.volume_id)?.name}
            />
            <span>
              {k.id} <Id id={offer.id} />
            </span>
            <Typography.Text type="secondary" title={f.time(offer.created_at)}>
              {f.ago(offer.created_at)}
            </Typography.Text>
            <ActionButton
              size="small"
              why={reader ? k.readOnlyRole : null}
              loading={withdraw.isPending}
              onClick={() => withdraw.mutate(offer.id)}
            >
              {t.actions.withdraw}
            </ActionButton>
          </Flex>
        ))}
      </Flex>
    </Card>
  );
}

export function AcceptDialog({ open, onClose }: { open: boolean; onClose(): void }) {
  const t = useText(volumeText);
  const k = useText(kitText);
  const queries = useQueryClient();
  return (
    <FormDialog<{ id: string; key: string }>
      title={t.accept}
      open={open}
      onClose={onClose}
      okText={t.accept}
      initial={{}}
      submit={async ({ id, key }) => {
        await acceptOffer(id.trim(), key.trim());
        await queries.invalidateQueries({ queryKey: ['volumes'] });
      }}
    >
      <Typography.Paragraph type="secondary">{t.acceptHint}</Typography.Paragraph>
      <Form.Item
        name="id"
        label={t.transferId}
        rules={[{ required: true, whitespace: true, message: k.required }]}
      >
        <Input autoComplete="off" />
      </Form.Item>
      <Form.Item name="key" label={t.key} rules={[{ required: true, whitespace: true, message: k.required }]}>
        <Input autoComplete="off" />
      </Form.Item>
    </FormDialog>
  );
}
