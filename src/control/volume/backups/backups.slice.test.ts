// Backups over HTTP, on both engines, with a real agent over simulated disks and a store of real files.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onBothEngines } from '../../../testkit/database.ts';
import type { Answer } from '../../../testkit/http.ts';
import { openTestCloud, type TestCloud } from '../../../testkit/routes/cloud.ts';
import { createTenant, type Tenant } from '../../../testkit/routes/fixtures.ts';

onBothEngines('backups', (engine) => {
  let cloud: TestCloud;
  let alice: Tenant;
  let base: string;
  let token: string;
  beforeAll(async () => {
    cloud = await openTestCloud(engine);
    alice = await createTenant(cloud, 'alice');
    base = `/volume/v3/${alice.projectId}`;
    token = alice.tokens.member;
    await cloud.must(cloud.admin, 'PUT', `/volume/v3/os-quota-sets/${alice.projectId}`, {
      quota_set: { volumes: 100 },
    });
  });
  afterAll(() => cloud.close());

  const version = { 'openstack-api-version': 'volume 3.70' };
  const call = (method: string, path: string, body?: unknown): Promise<Answer> =>
    cloud.call(token, method, `${base}${path}`, body, version);
  const must = async (method: string, path: string, body?: unknown) => {
    const answer = await call(method, path, body);
    expect(answer.status, `${method} ${path}: ${answer.text}`).toBeLessThan(300);
    await cloud.settle();
    return answer.text === '' ? undefined : answer.json;
  };
  const admin = async (method: string, path: string, body?: unknown) => {
    const answer = await cloud.must(cloud.admin, method, `/volume/v3${path}`, body, version);
    await cloud.settle();
    return answer;
  };
  const create = async (content: string, more: object = {}): Promise<string> => {
    const id = (await must('POST', '/volumes', { volume: { size: 1, ...more } })).volume.id as string;
    write(id, content);
    return id;
  };
  const disk = (id: string) => {
    const found = cloud.host.volumes.volumes.get(id);
    if (found === undefined) throw new Error(`volume ${id} is not on the host`);
    return found;
  };
  const write = (id: string, content: string): void => void (disk(id).content = content);
  const backup = async (volumeId: string, more: object = {}): Promise<string> =>
    (await must('POST', '/backups', { backup: { volume_id: volumeId, ...more } })).backup.id as string;
  const show = async (id: string) => (await must('GET', `/backups/${id}`)).backup;
  const restore = async (id: string, more: object = {}): Promise<string> =>
    (await must('POST', `/backups/${id}/restore`, { restore: more })).restore.volume_id as string;
  const status = async (id: string): Promise<string> =>
    (await must('GET', `/volumes/${id}`)).volume.status as string;
  const used = async () => {
    const { quota_set: set } = await must('GET', `/os-quota-sets/${alice.projectId}?usage=true`);
    return {
      backups: set.backups.in_use,
      gigabytes: set.backup_gigabytes.in_use,
      snapshots: set.snapshots.in_use,
    };
  };

  it('a volume comes back as it was, also when the volume is long gone', async () => {
    const before = await used();
    const id = await create('precious', { metadata: { a: 'b' }, name: 'v' });
    const kept = await backup(id, { name: 'k', metadata: { c: 'd' } });
    expect(await show(kept)).toMatchObject({
      status: 'available',
      is_incremental: false,
      has_dependent_backups: false,
      object_count: 1,
      size: 1,
      volume_id: id,
      container: 'volumebackups',
      metadata: { c: 'd' },
      fail_reason: null,
    });
    expect(await status(id)).toBe('available');
    // What was read is gone with its reading.
    expect(cloud.host.volumes.snapshots.size).toBe(0);
    expect(await used()).toEqual({ ...before, backups: before.backups + 1, gigabytes: before.gigabytes + 1 });
    write(id, 'overwritten');
    await must('DELETE', `/volumes/${id}`);
    const again = await restore(kept);
    expect(disk(again).content).toBe('precious');
    const volume = (await must('GET', `/volumes/${again}`)).volume;
    expect(volume).toMatchObject({
      status: 'available',
      metadata: { a: 'b' },
      name: `restore_backup_${kept}`,
    });
    write(again, 'other');
    expect(await restore(kept, { volume_id: again })).toBe(again);
    expect(disk(again).content).toBe('precious');
    await must('DELETE', `/backups/${kept}`);
    await must('DELETE', `/volumes/${again}`);
    expect((await call('GET', `/backups/${kept}`)).status).toBe(404);
    expect(await used()).toEqual(before);
  });

  it('an increment needs the backups below it, and is enough to restore from', async () => {
    const id = await create('one');
    expect((await call('POST', '/backups', { backup: { volume_id: id, incremental: true } })).status).toBe(
      400,
    );
    const full = await backup(id);
    write(id, 'two');
    const increment = await backup(id, { incremental: true });
    // Nothing changed: nothing is written but the manifest.
    const same = await backup(id, { incremental: true });
    expect(await show(increment)).toMatchObject({ is_incremental: true, has_dependent_backups: true });
    expect(await show(same)).toMatchObject({ is_incremental: true, object_count: 0 });
    expect((await show(full)).has_dependent_backups).toBe(true);
    const refused = await call('DELETE', `/backups/${full}`);
    expect(refused.status, refused.text).toBe(400);
    for (const [from, content] of [
      [full, 'one'],
      [increment, 'two'],
      [same, 'two'],
    ] as const)
      expect(disk(await restore(from)).content).toBe(content);
    for (const one of [same, increment, full]) await must('DELETE', `/backups/${one}`);
  });

  it('a snapshot can be backed up, and cannot go before', async () => {
    const id = await create('then');
    const snapshot = (await must('POST', '/snapshots', { snapshot: { volume_id: id } })).snapshot
      .id as string;
    write(id, 'now');
    const kept = await backup(id, { snapshot_id: snapshot });
    expect(await show(kept)).toMatchObject({ snapshot_id: snapshot, status: 'available' });
    expect(disk(await restore(kept)).content).toBe('then');
    await must('DELETE', `/snapshots/${snapshot}`);
    await must('DELETE', `/backups/${kept}`);
  });

  it('content that is damaged is not restored, and the user is told', async () => {
    const id = await create('whole');
    const kept = await backup(id, { container: 'damaged' });
    const dir = join(cloud.backupDir, 'damaged');
    const file = readdirSync(dir, { recursive: true, encoding: 'utf8' }).find((name) =>
      name.endsWith('-00001'),
    );
    const path = join(dir, file ?? '');
    const content = readFileSync(path);
    content[3] = (content[3] ?? 0) ^ 1;
    writeFileSync(path, content);
    const into = await create('left alone');
    await restore(kept, { volume_id: into });
    expect(disk(into).content).toBe('left alone');
    expect(await status(into)).toBe('error_restoring');
    expect((await show(kept)).status).toBe('available');
    const { messages } = await must('GET', '/messages');
    expect(messages[0]).toMatchObject({ resource_uuid: kept, resource_type: 'VOLUME_BACKUP' });
    expect(messages[0].user_message).toContain('damaged');
    await must('DELETE', `/backups/${kept}`);
    expect(readdirSync(cloud.backupDir)).not.toContain('damaged');
  });

  it('what is not allowed is refused before anything happens', async () => {
    const before = await used();
    const id = await create('x');
    const none = crypto.randomUUID();
    for (const [body, code] of [
      [{ volume_id: none }, 404],
      [{ volume_id: id, snapshot_id: none }, 404],
      [{ volume_id: id, container: '../up' }, 400],
      [{ volume_id: id, container: 'a/b' }, 400],
    ] as const)
      expect((await call('POST', '/backups', { backup: body })).status, JSON.stringify(body)).toBe(code);
    await cloud.must(cloud.admin, 'PUT', `/volume/v3/os-quota-sets/${alice.projectId}`, {
      quota_set: { backup_gigabytes: 0 },
    });
    const over = await call('POST', '/backups', { backup: { volume_id: id } });
    expect(over.status).toBe(413);
    expect(over.text).toContain('backup_gigabytes');
    await cloud.must(cloud.admin, 'PUT', `/volume/v3/os-quota-sets/${alice.projectId}`, {
      quota_set: { backup_gigabytes: 1000 },
    });
    expect(await used()).toEqual(before);
    expect(await status(id)).toBe('available');
  });

  it('a record that was exported is imported when its content is there, and only then', async () => {
    const id = await create('saved');
    const kept = await backup(id);
    const record = (await admin('GET', `/backups/${kept}/export_record`))['backup-record'];
    const again = await cloud.call(cloud.admin, 'POST', '/volume/v3/backups/import_record', {
      'backup-record': record,
    });
    expect(again.status).toBe(400);
    const changed = (changes: object): object => ({
      'backup-record': {
        ...record,
        backup_url: Buffer.from(
          JSON.stringify({ ...JSON.parse(Buffer.from(record.backup_url, 'base64').toString()), ...changes }),
        ).toString('base64'),
      },
    });
    const second = crypto.randomUUID();
    await admin('POST', '/backups/import_record', changed({ id: second }));
    expect((await admin('GET', `/backups/${second}`)).backup.status).toBe('available');
    const lying = crypto.randomUUID();
    await admin('POST', '/backups/import_record', changed({ id: lying, manifest: '0'.repeat(64) }));
    expect((await admin('GET', `/backups/${lying}`)).backup.status).toBe('error');
    for (const bad of [
      { id: 'x' },
      { prefix: '../../etc' },
      { container: '..' },
      { size_gib: 0 },
      { facts: '[]' },
    ])
      expect(
        (
          await cloud.call(
            cloud.admin,
            'POST',
            '/volume/v3/backups/import_record',
            changed({ id: crypto.randomUUID(), ...bad }),
          )
        ).status,
        JSON.stringify(bad),
      ).toBe(400);
    await admin('DELETE', `/backups/${lying}`);
    // Both name the same objects: they go with the last of them.
    await must('DELETE', `/backups/${kept}`);
    await admin('POST', `/backups/${second}/restore`, { restore: {} });
    expect((await admin('GET', `/backups/${second}`)).backup.status).toBe('available');
    await admin('DELETE', `/backups/${second}`);
  });
});
