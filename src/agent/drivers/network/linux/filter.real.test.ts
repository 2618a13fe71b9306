// Whatever passes the schema compiles to text that nft takes, or is refused with a reason: asked of nft itself,
// in a namespace of its own.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import { anyAddressGroup, anyId, anyPort, anyRouter, anySecurityGroup } from './bodies.fixture.ts';
import {
  addressGroupElements,
  addressGroupRules,
  baseRules,
  groupRules,
  portRules,
  removeAddressGroupRules,
  removePortRules,
} from './filter.ts';
import { short, tapOf } from './names.ts';
import { routerRules } from './router-text.ts';

const exec = promisify(execFile);
const ns = `strata-nft-${randomBytes(4).toString('hex')}`;
beforeAll(async () => {
  await exec('ip', ['netns', 'add', ns]);
});
afterAll(async () => {
  await exec('ip', ['netns', 'del', ns]);
});

/** null: refused with a DriverError, which is an answer. */
function compiled(work: () => string): string | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof DriverError && error.code === 'refused') return null;
    throw error;
  }
}
/** nft's complaint about all of it, or ''. Nothing is applied (`-c`). */
const complaint = (text: string): Promise<string> =>
  run(['nsenter', `--net=/run/netns/${ns}`, 'nft', '-c', '-f', '-'], { input: text }).then(
    () => '',
    (error: { stderr: string }) => error.stderr.slice(0, 600),
  );

const groups =
  addressGroupRules('group-a', new Set(), ['10.0.0.0/8', 'fd00::/8']) +
  addressGroupRules('Group.b-2', new Set(), []);
const table = 'delete table bridge strata\ndelete table inet strata\n';

test(
  'nft takes the rules of any port, security group, address group and router',
  { timeout: 60_000 },
  async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(
        anyId,
        anyPort,
        anySecurityGroup,
        anyAddressGroup,
        anyRouter,
        async (id, port, group, addresses, router) => {
          const parts = [
            compiled(
              () =>
                [...new Set(port.securityGroupIds)]
                  .map((group) => groupRules(group, { stateful: true, rules: [] }, 'hash'))
                  .join('') +
                portRules(id, tapOf(id), 17, port) +
                removePortRules(short(id), tapOf(id), 17) +
                portRules(id, tapOf(id), 17, port),
            ),
            compiled(() => groupRules(id, group, 'hash')),
            compiled(
              () =>
                addressGroupRules(`x-${id}`, new Set(), addressGroupElements(id, addresses)) +
                removeAddressGroupRules(`x-${id}`),
            ),
            compiled(() => routerRules(id, router)),
          ].filter((part) => part !== null);
          taken += parts.length;
          const text = `${baseRules}${groups}${parts.join('')}${table}`;
          expect(await complaint(text)).toBe('');
        },
      ),
      { numRuns: 150 },
    );
    expect(taken).toBeGreaterThan(150);
  },
);

test(
  'an address group gets from any content to any other by its difference',
  { timeout: 60_000 },
  async () => {
    const nft = (text: string): Promise<unknown> =>
      run(['nsenter', `--net=/run/netns/${ns}`, 'nft', '-f', '-'], { input: text });
    await nft('add table inet strata');
    const held = async (): Promise<number> => {
      const { stdout } = await run([
        'nsenter',
        `--net=/run/netns/${ns}`,
        'nft',
        '-j',
        'list',
        'table',
        'inet',
        'strata',
      ]);
      const sets = (JSON.parse(stdout) as { nftables: { set?: { elem?: unknown[] } }[] }).nftables;
      return sets.reduce((count, { set }) => count + (set?.elem?.length ?? 0), 0);
    };
    // Close together, so that prefixes nest and touch.
    const near = fc
      .tuple(
        fc.constantFrom('10.0.0.', 'fd00::'),
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 0, max: 8 }),
      )
      .map(([base, last, spare]) => `${base}${last}/${(base.includes(':') ? 128 : 32) - spare}`);
    const contents = fc.array(near, { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.array(contents, { minLength: 2, maxLength: 4 }), async (steps) => {
        let before = new Set<string>();
        for (const addresses of steps) {
          const after = addressGroupElements('near', { addresses });
          await nft(addressGroupRules('near', before, after));
          expect(await held()).toBe(after.length);
          before = new Set(after);
        }
        await nft(removeAddressGroupRules('near'));
      }),
      { numRuns: 40 },
    );
  },
);
