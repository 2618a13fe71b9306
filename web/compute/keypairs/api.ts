// Key pairs as the compute API tells of them: of the user, whatever the project.
import { queryOptions } from '@tanstack/react-query';
import { api } from '../../kit/api.ts';

const KEYPAIRS = '/compute/v2.1/os-keypairs';

export type Keypair = {
  name: string;
  public_key: string;
  /** MD5 with colons. */
  fingerprint: string;
  type: 'ssh' | 'x509';
};

export const keypairsQuery = queryOptions({
  queryKey: ['keypairs', 'list'],
  queryFn: async ({ signal }) =>
    (await api.get<{ keypairs: { keypair: Keypair }[] }>(KEYPAIRS, { limit: 1000 }, signal)).keypairs.map(
      ({ keypair }) => keypair,
    ),
});

export const importKeypair = (keypair: Omit<Keypair, 'fingerprint'>): Promise<void> =>
  api.post(KEYPAIRS, { keypair });

export const deleteKeypair = (name: string): Promise<void> =>
  api.delete(`${KEYPAIRS}/${encodeURIComponent(name)}`);
