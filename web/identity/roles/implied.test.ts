// What a role gives.
import { expect, it } from 'vitest';
import type { Inference } from './api.ts';
import { impliedBy } from './implied.ts';

const role = (id: string) => ({ id, name: id });
const implies = (prior: string, ...implied: string[]): Inference => ({
  prior_role: role(prior),
  implies: implied.map(role),
});

it('a role gives what the roles that it implies give, also where they imply each other', () => {
  const chain = [
    implies('admin', 'manager'),
    implies('manager', 'member'),
    implies('member', 'reader', 'admin'),
  ];
  expect(impliedBy('admin', chain).map(({ id }) => id)).toEqual(['manager', 'member', 'reader']);
  expect(impliedBy('reader', chain)).toEqual([]);
});
