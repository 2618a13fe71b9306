// The root disk of a guest as a file of its own: what images of servers are made of. Whatever the guest has written,
// every format is named, never found out by looking at content.
import { randomUUID } from 'node:crypto';
import { chmod, chown, link, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../../kernel/clock.ts';
import { DriverError } from '../../errors.ts';
import type { GuestSpec } from '../driver.ts';
import { guestUid } from '../guest-user.ts';
import { baseFormat, qemuImg } from './disk.ts';
import { runJob } from './memory.ts';
import type { Qmp } from './qmp.ts';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** Bytes of the root disk, as the guest sees it. */
async function rootSize(qmp: Qmp, id: string): Promise<number> {
  const nodes = await qmp.execute('query-named-block-nodes', { flat: true });
  const root = (Array.isArray(nodes) ? nodes.filter(isRecord) : []).find(
    (node) => node['node-name'] === 'root',
  );
  const image = root !== undefined && isRecord(root['image']) ? root['image'] : {};
  const size = Number(image['virtual-size']);
  if (!Number.isSafeInteger(size))
    throw new DriverError('refused', `server ${id} has no root disk of its own`);
  return size;
}

/** A backup job of the guest's QEMU: the content of the moment at which it begins. */
export async function exportRunning(
  qmp: Qmp,
  clock: Clock,
  { id, folder }: Pick<GuestSpec, 'id' | 'folder'>,
  path: string,
): Promise<void> {
  const what = `the disk of server ${id} cannot be copied`;
  await qemuImg(['create', '-q', '-f', 'qcow2', path, String(await rootSize(qmp, id))], what);
  // Only this guest's QEMU, which runs as a user of its own, and we can open it.
  await chmod(path, 0o600);
  await chown(path, guestUid(id), 0);
  const node = `export-${randomUUID().slice(0, 8)}`;
  // QEMU opens it from the folder that it runs in: what is above `path` may be closed to it.
  const beside = folder === undefined || folder === null ? null : join(folder, node);
  try {
    if (beside !== null) await link(path, beside);
    await qmp.execute('blockdev-add', {
      'node-name': node,
      driver: 'qcow2',
      file: { driver: 'file', filename: beside === null ? path : node },
    });
  } finally {
    if (beside !== null) await rm(beside, { force: true });
  }
  try {
    const error = await runJob(qmp, clock, 'blockdev-backup', {
      device: 'root',
      target: node,
      sync: 'full',
      'auto-dismiss': false,
    });
    if (error !== null)
      throw new DriverError(error.includes('No space left') ? 'no-space' : 'failed', what, error);
  } finally {
    await qmp.execute('blockdev-del', { 'node-name': node }).catch(() => {});
  }
}

/** Of a guest that does not run; memory that is saved in the disk stays out of it. */
export async function exportStopped(disk: string, spec: GuestSpec, path: string): Promise<void> {
  const { id, body, imagePath } = spec;
  const what = `the disk of server ${id} cannot be copied`;
  if (body.image === null || imagePath === null)
    throw new DriverError('refused', `server ${id} has no root disk of its own`);
  const file = (filename: string) => ({ driver: 'file', filename });
  const source = {
    driver: 'qcow2',
    file: file(disk),
    backing: {
      driver: baseFormat(body.image.diskFormat),
      file: file(imagePath),
      ...(body.image.diskFormat === 'qcow2' ? { backing: null } : {}),
    },
  };
  const part = `${path}.part`;
  try {
    await qemuImg(['convert', '-q', '-O', 'qcow2', `json:${JSON.stringify(source)}`, part], what);
    await rename(part, path);
  } finally {
    await rm(part, { force: true });
  }
}
