// Decisions: nothing is allowed unless a rule says so; roles imply; own means the token's own scope.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  allows,
  anonymous,
  canSee,
  isAdmin,
  projectOf,
  rules,
  withImpliedRoles,
  type Actor,
  type Rule,
  type Scope,
} from './policy.ts';

const ids = fc.constantFrom('a', 'b', '');
const scopes: fc.Arbitrary<Scope> = fc.oneof(
  fc.record({
    type: fc.constant('project' as const),
    id: fc.constantFrom('a', 'b'),
    name: fc.constant('n'),
    domainId: ids,
    domainName: fc.constant('d'),
  }),
  fc.record({ type: fc.constant('domain' as const), id: fc.constantFrom('a', 'b'), name: fc.constant('n') }),
  fc.constant({ type: 'system' as const }),
  fc.constant({ type: 'unscoped' as const }),
);
const roles = fc.subarray(['admin', 'manager', 'member', 'reader', 'service', 'other']);
const actors: fc.Arbitrary<Actor> = fc
  .record({ scope: scopes, names: roles, userId: fc.constantFrom('u1', 'u2') })
  .map(({ scope, names, userId }) => ({ ...anonymous, userId, scope, roles: withImpliedRoles(names) }));
const targets = fc.option(
  fc.record({
    projectId: fc.option(ids),
    domainId: fc.option(ids),
    userId: fc.option(fc.constantFrom('u1', 'u2')),
  }),
  { nil: null },
);
const anyRule = fc.constantFrom<Rule>(...Object.values(rules));

it('allows nothing by default, to nobody', () => {
  fc.assert(
    fc.property(actors, targets, (actor, target) => !allows({ description: '', anyOf: [] }, actor, target)),
  );
});

it('gives anonymous requests only what anyone may', () => {
  fc.assert(
    fc.property(
      anyRule,
      targets,
      (rule, target) =>
        allows({ description: '', anyOf: [rule] }, anonymous, target) === (rule.who === 'anyone'),
    ),
  );
});

it('decides as the table of roles and scopes says', () => {
  const order = ['reader', 'member', 'manager', 'admin'];
  fc.assert(
    fc.property(actors, targets, anyRule, (actor, target, rule) => {
      const { scope } = actor;
      const own =
        target === null ||
        (scope.type === 'project'
          ? target.projectId === scope.id
          : scope.type === 'domain' && target.domainId === scope.id);
      const expected =
        rule.who === 'anyone' || rule.who === 'authenticated' ? true
        : rule.who === 'owner' ? target === null || target.userId === actor.userId
        : scope.type !== 'unscoped' && (rule.scope === 'any' || rule.scope === scope.type) &&
          (rule.role === 'service' ? actor.roles.has('service') : order.slice(order.indexOf(rule.role)).some((name) => actor.roles.has(name))) &&
          (!rule.own || own); // prettier-ignore
      expect(allows({ description: '', anyOf: [rule] }, actor, target)).toBe(expected);
    }),
    { numRuns: 1000 },
  );
});

it('never allows for one target what it denies for all', () => {
  fc.assert(
    fc.property(
      actors,
      targets,
      fc.array(anyRule),
      (actor, target, anyOf) =>
        !allows({ description: '', anyOf }, actor, target) || allows({ description: '', anyOf }, actor, null),
    ),
  );
});

it('shows operators everything and everybody else their own project only', () => {
  fc.assert(
    fc.property(
      actors,
      fc.option(ids),
      (actor, project) =>
        canSee(actor, project) ===
        (isAdmin(actor) || (actor.scope.type === 'project' && project === actor.scope.id)),
    ),
  );
  expect(canSee(anonymous, '')).toBe(false);
  expect(projectOf(anonymous)).toBe('');
});
