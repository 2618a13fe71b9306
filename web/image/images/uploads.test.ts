// Uploads with everything that happens to them on the way.
import { expect, test } from 'vitest';
import { createUploads, paceOf, type Deps } from './uploads.ts';

const FILE = new Blob(['0123456789']);
const wanted = { id: 'i', name: 'disk', file: FILE, userId: 'u' };

function set(parts: Partial<Deps> & { statuses?: string[] } = {}) {
  const calls: string[] = [];
  const statuses = parts.statuses ?? [];
  const deps: Deps = {
    async send(_, file, onSent) {
      calls.push('send');
      onSent(4);
      onSent(file.size);
    },
    async statusOf() {
      calls.push('look');
      return statuses.shift() ?? 'queued';
    },
    now: () => 0,
    wait: async () => void calls.push('wait'),
    ...parts,
  };
  const uploads = createUploads(deps);
  const seen: string[] = [];
  uploads.subscribe(() => {
    const [upload] = uploads.list();
    const line = upload === undefined ? 'gone' : `${upload.state} ${upload.sent}`;
    if (seen.at(-1) !== line) seen.push(line);
  });
  return { uploads, calls, seen };
}

test('an upload tells how far it is until the cloud has taken it', async () => {
  const { uploads, seen } = set();
  await uploads.start(wanted);
  expect(seen).toEqual(['waiting 0', 'sending 0', 'sending 4', 'checking 10', 'done 10']);
});

test('what fails waits with its reason, and is sent from the beginning when it is tried again', async () => {
  let fail = true;
  const { uploads, seen } = set({
    async send(_, file, onSent) {
      onSent(fail ? 7 : file.size);
      if (fail) throw new Error('the connection was lost');
    },
  });
  await uploads.start(wanted);
  expect(uploads.list()[0]).toMatchObject({ state: 'failed', sent: 7 });
  expect(String(uploads.list()[0]?.error)).toContain('the connection was lost');
  fail = false;
  await uploads.again('i');
  expect(seen.slice(-4)).toEqual(['waiting 0', 'sending 0', 'checking 10', 'done 10']);
  expect(uploads.list()[0]?.error).toBeNull();
});

test('a try waits until the cloud has let go of the one before', async () => {
  const { uploads, calls } = set({ statuses: ['saving', 'saving', 'queued'] });
  await uploads.start(wanted);
  expect(calls).toEqual(['look', 'wait', 'look', 'wait', 'look', 'send']);
});

test('content whose answer was lost is not sent twice', async () => {
  const { uploads, calls } = set({ statuses: ['active'] });
  await uploads.start(wanted);
  expect(calls).toEqual(['look']);
  expect(uploads.list()[0]).toMatchObject({ state: 'done', sent: 10 });
});

test('an image that is gone says so', async () => {
  const gone = new Error('no such image');
  const { uploads, calls } = set({ statusOf: () => Promise.reject(gone) });
  await uploads.start(wanted);
  expect(calls).toEqual([]);
  expect(uploads.list()[0]).toMatchObject({ state: 'failed', error: gone });
});

test('its user stops it, and goes on', async () => {
  const stopped = Promise.withResolvers<void>();
  let first = true;
  const { uploads } = set({
    async send(_, __, onSent, signal) {
      if (!first) return;
      first = false;
      onSent(3);
      signal.addEventListener('abort', () => stopped.reject(signal.reason));
      await stopped.promise;
    },
  });
  const done = uploads.start(wanted);
  while (uploads.list()[0]?.sent !== 3) await Promise.resolve();
  uploads.stop('i');
  await done;
  expect(uploads.list()[0]).toMatchObject({ state: 'stopped', error: null });
  await uploads.again('i');
  expect(uploads.list()[0]?.state).toBe('done');
  uploads.dismiss('i');
  expect(uploads.list()).toEqual([]);
});

test('the pace is what was sent in the time of this try', () => {
  const upload = { ...wanted, state: 'sending', sent: 4, startedAt: 1_000, error: null } as const;
  expect(paceOf(upload, 1_500)).toBeNull();
  expect(paceOf(upload, 3_000)).toEqual({ rate: 2, left: 3 });
});
