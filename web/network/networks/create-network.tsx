// One dialog for a network and its first subnet.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Divider, Form } from 'antd';
import { FormDialog } from '../../kit/form-dialog.tsx';
import { useText } from '../../kit/language.tsx';
import { freeSubnet } from '../addresses.ts';
import { LabelledSwitch } from '../parts.tsx';
import { subnetsQuery } from '../subnets/api.ts';
import { createBody, newSubnet, type SubnetValues } from '../subnets/form.ts';
import { SubnetFields } from '../subnets/subnet-fields.tsx';
import { createNetwork } from './api.ts';
import {
  NetworkName,
  NetworkOptions,
  networkBody,
  newNetwork,
  type NetworkValues,
} from './network-fields.tsx';
import { networksText } from './text.ts';

type Values = NetworkValues & SubnetValues & { withSubnet: boolean };

function Fields() {
  const t = useText(networksText);
  const withSubnet = Form.useWatch<boolean>('withSubnet', Form.useFormInstance<Values>()) ?? true;
  return (
    <>
      <NetworkName />
      <Form.Item name="withSubnet" valuePropName="checked">
        <LabelledSwitch label={t.withSubnet} {...(withSubnet ? {} : { hint: t.withSubnetHint })} />
      </Form.Item>
      {withSubnet ? <SubnetFields /> : null}
      <Divider size="small" />
      <NetworkOptions />
    </>
  );
}

export function CreateNetwork({ open, onClose }: { open: boolean; onClose(): void }) {
  const t = useText(networksText);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const subnets = useQuery(subnetsQuery());
  return (
    <FormDialog<Values>
      title={t.create}
      open={open}
      onClose={onClose}
      initial={{
        ...newSubnet(freeSubnet((subnets.data ?? []).map(({ cidr }) => cidr))),
        ...newNetwork,
        withSubnet: true,
      }}
      submit={async (values) => {
        const id = await createNetwork(networkBody(values), values.withSubnet ? createBody(values) : null);
        await Promise.all(
          ['networks', 'subnets'].map((name) => queries.invalidateQueries({ queryKey: [name] })),
        );
        await navigate({ to: `/networks/${id}` });
      }}
    >
      <Fields />
    </FormDialog>
  );
}
