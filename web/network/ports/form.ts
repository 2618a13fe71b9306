// What a form of a port holds, and the request that it means. Pure.
import type { AddressPair, Port, PortBody } from './api.ts';

export type PortValues = {
  name?: string;
  adminUp: boolean;
  subnetId?: string;
  address?: string;
  mac?: string;
  security: boolean;
  groups?: string[];
  pairs?: Partial<AddressPair>[];
};

export const newPort: PortValues = { adminUp: true, security: true, pairs: [] };

export const valuesOf = (port: Port): PortValues => ({
  name: port.name,
  adminUp: port.admin_state_up,
  security: port.port_security_enabled,
  groups: port.security_groups,
  pairs: port.allowed_address_pairs,
});

const given = (text: string | undefined): string | undefined => {
  const trimmed = text?.trim() ?? '';
  return trimmed === '' ? undefined : trimmed;
};

const pairsOf = (values: PortValues): AddressPair[] =>
  (values.pairs ?? []).flatMap((pair) => {
    const [ip, mac] = [given(pair.ip_address), given(pair.mac_address)];
    if (ip === undefined && mac === undefined) return [];
    return [{ ip_address: ip ?? '', ...(mac === undefined ? {} : { mac_address: mac }) }];
  });

/** What may be said of new and old ports: unprotected ones have neither groups nor pairs. */
const changeable = (values: PortValues): PortBody => ({
  name: values.name?.trim() ?? '',
  admin_state_up: values.adminUp,
  port_security_enabled: values.security,
  ...(values.security
    ? {
        ...(values.groups === undefined ? {} : { security_groups: values.groups }),
        allowed_address_pairs: pairsOf(values),
      }
    : { security_groups: [], allowed_address_pairs: [] }),
});

export const updateBody = changeable;

/** Without a choice of groups, the cloud gives the project's default one. */
export function createBody(values: PortValues): PortBody {
  const [subnetId, address, mac] = [given(values.subnetId), given(values.address), given(values.mac)];
  return {
    ...changeable(values),
    ...(mac === undefined ? {} : { mac_address: mac }),
    ...(subnetId === undefined && address === undefined
      ? {}
      : {
          fixed_ips: [
            {
              ...(subnetId === undefined ? {} : { subnet_id: subnetId }),
              ...(address === undefined ? {} : { ip_address: address }),
            },
          ],
        }),
  };
}
