// What is read from the fault of a server that found no host.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isFilter, readNoHost } from './refusal.ts';

describe('the fault of a server without a host', () => {
  test('is told apart filter by filter, each with its hosts', () => {
    const message =
      'No valid host was found. There are not enough hosts available: 3 considered, refused by state 1, memory 2. ' +
      'node-1: the host is down. node-2.example: memory 4096 MiB requested, 1023 of 3072 MiB free. ' +
      'node-3: memory 4096 MiB requested, 0 of 3072 MiB free.';
    expect(readNoHost(message)).toEqual({
      considered: 3,
      refusals: [
        { filter: 'state', hosts: 1, examples: [{ host: 'node-1', message: 'the host is down' }] },
        {
          filter: 'memory',
          hosts: 2,
          examples: [
            { host: 'node-2.example', message: 'memory 4096 MiB requested, 1023 of 3072 MiB free' },
            { host: 'node-3', message: 'memory 4096 MiB requested, 0 of 3072 MiB free' },
          ],
        },
      ],
      others: [],
    });
  });

  test('may be of a cloud without hosts, or of something else', () => {
    const empty = 'No valid host was found. There are no hosts in this cloud.';
    expect(readNoHost(empty)).toEqual({ considered: 0, refusals: [], others: [] });
    expect(readNoHost('The image could not be read.')).toBeNull();
  });

  test('keeps every host that it names, whatever the numbers', () => {
    const host = fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}[a-z0-9]$/);
    const said = fc.oneof(
      fc
        .tuple(fc.constantFrom('cpu', 'memory', 'disk'), fc.nat(), fc.nat())
        .map(
          ([name, need, free]) =>
            [name, `${name} ${need} MiB requested, ${free} of ${free} MiB free`] as const,
        ),
      fc.constant(['zone', 'zone a requested, the host is in b'] as const),
      fc.constant(['capability', 'lacks volumes'] as const),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(host, said), { minLength: 1, maxLength: 5 }), (examples) => {
        const counts = new Map<string, number>();
        for (const [, [filter]] of examples) counts.set(filter, (counts.get(filter) ?? 0) + 1);
        const refused = [...counts].map(([filter, hosts]) => `${filter} ${hosts}`).join(', ');
        const message = `No valid host was found. There are not enough hosts available: ${examples.length} considered, refused by ${refused}. ${examples.map(([name, [, text]]) => `${name}: ${text}.`).join(' ')}`;
        const read = readNoHost(message);
        expect(read?.considered).toBe(examples.length);
        expect(read?.others).toEqual([]);
        for (const { filter, hosts, examples: found } of read?.refusals ?? []) {
          expect(isFilter(filter)).toBe(true);
          expect([hosts, found.length]).toEqual([counts.get(filter), counts.get(filter)]);
        }
        expect(read?.refusals.length).toBe(counts.size);
      }),
    );
  });
});
