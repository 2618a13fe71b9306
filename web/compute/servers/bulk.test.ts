// The same action for many servers.
import { expect, test, vi } from 'vitest';

// What the console keeps of its session; there is none here.
vi.stubGlobal('sessionStorage', { getItem: () => null });
const { repeatable } = await import('./bulk.ts');
const { ApiError } = await import('../../kit/api.ts');

const servers = ['web', 'db', 'cache'].map((name) => ({ id: `id-of-${name}`, name }));

test('what fails is said by name, and only that is tried again', async () => {
  const asked: string[] = [];
  let broken = new Set(['db', 'cache']);
  const run = repeatable(servers, async ({ name }) => {
    asked.push(name);
    if (broken.has(name)) throw new ApiError(409, 'it is locked.', 'req-1');
  });
  await expect(run()).rejects.toThrow('2/3: db: it is locked.\ncache: it is locked.');
  broken = new Set(['cache']);
  // A single error keeps its status and the id to ask an operator about.
  await expect(run()).rejects.toMatchObject({
    message: 'cache: it is locked.',
    status: 409,
    requestId: 'req-1',
  });
  broken = new Set();
  await run();
  await run();
  expect(asked).toEqual(['web', 'db', 'cache', 'db', 'cache', 'cache']);
});
