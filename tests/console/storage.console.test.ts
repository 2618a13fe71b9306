// Images, volumes and keys in a browser: what its user would lose if it went wrong half-way.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { run } from '../../src/kernel/run.ts';
import { settle, signIn } from '../../tools/console/browser.ts';
import { eventually } from '../cloud.ts';
import { atConsole, seriousFindings } from './at-console.ts';

/** A place on the web with one image, which is broken until it is mended. */
let mended = false;
const web = createServer((_, answer) => {
  answer.end(
    mended ? readFileSync(disk) : Buffer.concat([Buffer.from('1f8b0800', 'hex'), randomBytes(4096)]),
  );
});
await new Promise<void>((listening) => web.listen(0, '127.0.0.1', listening));
const webUrl = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
afterAll(() => void web.close());

const at = atConsole('--demo', '--images-from', webUrl);
const dir = mkdtempSync(join(tmpdir(), 'strata-console-storage-'));
afterAll(() => rmSync(dir, { recursive: true }));

const disk = join(dir, 'debian.qcow2');
beforeAll(async () => {
  await run(['qemu-img', 'create', '-q', '-f', 'qcow2', disk, '2G'], { timeoutMs: 30_000 });
  await eventually('the demo', 120, async () => at.cloud.output().includes('The cloud keeps running'));
}, 180_000);

const primary = (page: Page) => page.locator('.ant-modal:visible .ant-btn-primary').last();

async function submit(page: Page): Promise<void> {
  await primary(page).click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
}

async function choose(page: Page, row: string, action: string): Promise<void> {
  await page.getByRole('button', { name: `Actions for ${row}` }).click();
  await page.getByRole('menuitem', { name: action, exact: true }).click();
}

const inRow = (page: Page, row: string, text: string) =>
  page.getByRole('row').filter({ hasText: row }).getByText(text, { exact: true });

async function chooseFile(page: Page, file: string): Promise<void> {
  await page.getByRole('button', { name: 'Create image' }).first().click();
  await page.locator('.ant-modal input[type=file]').setInputFiles(file);
}

describe('images', () => {
  it('an upload whose connection breaks says so, and is whole when its user tries again', async () => {
    const { page } = await at.as('demo');
    await page.goto('/images');
    await settle(page);
    let tries = 0;
    await page.route('**/image/v2/images/*/file', (call) => {
      tries += 1;
      return tries === 1 ? call.abort('connectionreset') : call.continue();
    });
    await chooseFile(page, disk);
    await page.getByText('Recognised: qcow2, a disk of 2 GiB').waitFor();
    expect(await page.getByRole('dialog').getByLabel('Name', { exact: true }).inputValue()).toBe('debian');
    await primary(page).click();
    const upload = page.getByRole('group', { name: 'Upload of debian' });
    await upload.getByText('The cloud does not answer').waitFor();
    await upload.getByText('from the beginning').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    // It goes on while its user looks at something else.
    await upload.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('menuitem', { name: 'Key pairs' }).click();
    await page.getByRole('menuitem', { name: 'Images' }).click();
    await upload.getByText('Done').waitFor();
    expect(tries).toBe(2);
    const demo = await at.cloud.as('demo');
    const { images } = await demo.call<{ images: { os_hash_value: string; min_disk: number }[] }>(
      'GET',
      '/image/v2/images?name=debian',
    );
    const hash = createHash('sha512').update(readFileSync(disk)).digest('hex');
    expect(images).toMatchObject([{ os_hash_value: hash, min_disk: 2 }]);
    await page.context().close();
  });

  it('content that is refused says why, and is discarded with its image', async () => {
    const { page } = await at.as('demo');
    const file = join(dir, 'odd.qcow2');
    writeFileSync(file, Buffer.concat([Buffer.from('1f8b0800', 'hex'), randomBytes(4096)]));
    await page.goto('/images');
    await settle(page);
    await chooseFile(page, file);
    await page.getByText('This file is compressed.').waitFor();
    await primary(page).click();
    const upload = page.getByRole('group', { name: 'Upload of odd' });
    await upload.getByText('disk_format is qcow2, but the content is gzip').waitFor();
    await inRow(page, 'odd', 'Waits for content').waitFor();
    await upload.getByRole('button', { name: 'Discard the upload of odd?' }).click();
    await primary(page).click();
    await upload.waitFor({ state: 'hidden' });
    await page.getByRole('table').getByRole('link', { name: 'odd' }).waitFor({ state: 'hidden' });
    await page.context().close();
  });

  it('an import from the web that failed says why, and is done again when its source is mended', async () => {
    const { page } = await at.as('demo');
    await page.goto('/images');
    await settle(page);
    await page.getByRole('button', { name: 'Create image' }).first().click();
    await page.getByText('An address on the web').click();
    await page.getByRole('textbox', { name: 'Address' }).fill(`${webUrl}/images/fetched.qcow2`);
    expect(await page.getByRole('dialog').getByLabel('Name', { exact: true }).inputValue()).toBe('fetched');
    await submit(page);
    await inRow(page, 'fetched', 'Waits for content').waitFor();
    await page.getByRole('table').getByRole('link', { name: 'fetched' }).click();
    await page.getByText('disk_format is qcow2, but the content is gzip').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    mended = true;
    await page.getByRole('button', { name: 'Import again' }).click();
    await page.getByText('Active', { exact: true }).waitFor();
    await page.context().close();
  });

  it('an image is shared by its owner and accepted by those it is shared with', async () => {
    const owner = await at.as('admin');
    await owner.page.goto('/images');
    await settle(owner.page);
    const file = join(dir, 'given.raw');
    writeFileSync(file, randomBytes(4096));
    await chooseFile(owner.page, file);
    await owner.page.getByText('The content does not tell its format').waitFor();
    await primary(owner.page).click();
    await owner.page.getByRole('group', { name: 'Upload of given' }).getByText('Done').waitFor();
    await owner.page.getByRole('table').getByRole('link', { name: 'given' }).click();
    await owner.page.getByRole('tab', { name: 'Sharing' }).click();
    await owner.page.getByRole('button', { name: 'Make it shared' }).click();
    await owner.page.getByRole('button', { name: 'Share with a project' }).click();
    await owner.page.getByRole('dialog').getByLabel('Project').click();
    await owner.page.locator('.ant-select-item-option').filter({ hasText: 'demo' }).click();
    await submit(owner.page);
    await owner.page.getByText('Not answered').waitFor();
    await owner.page.context().close();

    const { page } = await at.as('demo');
    await page.goto('/images');
    await settle(page);
    await page.getByText('Shared with us', { exact: true }).click();
    await page.getByRole('row').filter({ hasText: 'given' }).getByRole('button', { name: 'Accept' }).click();
    await inRow(page, 'given', 'Accepted').waitFor();
    await page.context().close();
  });
});

describe('volumes', () => {
  it('a volume is made, attached to a server, kept in a snapshot and a backup, detached, and deleted with its snapshot', async () => {
    const { page } = await at.as('demo');
    await page.goto('/volumes');
    await settle(page);
    await page.getByRole('button', { name: 'Create volume' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('data');
    await dialog.getByLabel('Size').fill('1');
    await dialog.getByText('Left of the quota').waitFor();
    await submit(page);
    await inRow(page, 'data', 'Available').waitFor();
    await choose(page, 'data', 'Attach');
    await dialog.getByRole('combobox', { name: 'Server' }).click();
    await page.locator('.ant-select-item-option').filter({ hasText: 'demo-vm' }).click();
    await submit(page);
    await inRow(page, 'data', 'In use').waitFor();
    await inRow(page, 'data', '/dev/vdb').waitFor();
    await choose(page, 'data', 'Take snapshot');
    await dialog.getByLabel('Name').fill('before');
    await submit(page);
    await choose(page, 'data', 'Back up');
    await dialog.getByLabel('Name').fill('kept');
    await submit(page);
    await page.goto('/backups');
    await inRow(page, 'kept', 'Available').waitFor({ timeout: 60_000 });
    await page.goto('/volumes');
    await choose(page, 'data', 'Detach');
    await page.getByText('what was not written to it yet is lost').waitFor();
    await submit(page);
    await inRow(page, 'data', 'Available').waitFor();
    await choose(page, 'data', 'Delete');
    await page.getByText('Its snapshot is deleted as well: before').waitFor();
    await submit(page);
    await page.getByRole('table').getByRole('link', { name: 'data' }).waitFor({ state: 'hidden' });
    // The backup outlives it.
    await page.goto('/backups');
    await inRow(page, 'kept', 'Available').waitFor();
    await page.context().close();
  });

  it('a volume goes to another project with its key', async () => {
    const { page } = await at.as('demo');
    await page.goto('/volumes');
    await settle(page);
    await page.getByRole('button', { name: 'Create volume' }).first().click();
    await page.getByRole('dialog').getByLabel('Name').fill('given');
    await page.getByRole('dialog').getByLabel('Size').fill('1');
    await submit(page);
    await inRow(page, 'given', 'Available').waitFor();
    await choose(page, 'given', 'Offer to another project');
    await primary(page).click();
    await page.locator('.ant-modal-confirm-title').getByText('The volume is offered').waitFor();
    const [id = '', key = ''] = await page.locator('.ant-modal-confirm code').allInnerTexts();
    await page.getByRole('button', { name: 'I have noted both' }).click();
    await inRow(page, 'given', 'Offered').waitFor();

    const taker = await at.as('admin');
    await taker.page.goto('/volumes');
    await settle(taker.page);
    await taker.page.getByRole('button', { name: 'Take an offered volume' }).click();
    const dialog = taker.page.getByRole('dialog');
    await dialog.getByLabel('ID of the offer').fill(id);
    await dialog.getByLabel('Key').fill('not this');
    await primary(taker.page).click();
    await dialog.getByText('Invalid auth key').waitFor();
    await dialog.getByLabel('Key').fill(key);
    await submit(taker.page);
    await inRow(taker.page, 'given', 'Available').waitFor();
    await taker.page.context().close();
    await page.getByRole('table').getByRole('link', { name: 'given' }).waitFor({ state: 'hidden' });
    await page.context().close();
  });

  it('who may only read sees why nothing can be changed', async () => {
    const admin = await at.cloud.as('admin');
    const demo = await at.cloud.as('demo');
    const { projects } = await demo.call<{ projects: { id: string }[] }>('GET', '/identity/v3/auth/projects');
    const { roles } = await admin.call<{ roles: { id: string }[] }>('GET', '/identity/v3/roles?name=reader');
    const password = randomBytes(12).toString('hex');
    const { user } = await admin.call<{ user: { id: string } }>('POST', '/identity/v3/users', {
      user: { name: 'looker', password, domain_id: 'default' },
    });
    await admin.call(
      'PUT',
      `/identity/v3/projects/${projects[0]?.id}/users/${user.id}/roles/${roles[0]?.id}`,
    );
    const visit = await at.arrive();
    await signIn(visit, { url: at.cloud.url, user: 'looker', password });
    const { page } = visit;
    for (const [path, button] of [
      ['/volumes', 'Create volume'],
      ['/images', 'Create image'],
      ['/snapshots', 'Take snapshot'],
      ['/backups', 'Create backup'],
    ] as const) {
      await page.goto(path);
      const create = page.getByRole('button', { name: button }).first();
      await create.waitFor();
      expect(await create.isDisabled()).toBe(true);
      await create.hover({ force: true });
      await page.getByRole('tooltip').getByText('can only read').waitFor();
    }
    await page.context().close();
  });
});

describe('key pairs', () => {
  it('a private key is made in the browser, is never sent, and belongs to the public key that is', async () => {
    const { page } = await at.as('demo');
    const sent: string[] = [];
    page.on('request', (request) => sent.push(`${request.url()} ${request.postData() ?? ''}`));
    await page.goto('/keypairs');
    await settle(page);
    await page.getByRole('button', { name: 'Generate key pair' }).first().click();
    await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill('made here');
    await primary(page).click();
    const privateKey = await page.getByLabel('Private key', { exact: true }).inputValue();
    expect(await page.getByRole('button', { name: 'Done' }).isDisabled()).toBe(true);
    expect(await seriousFindings(page)).toEqual([]);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download made-here.pem' }).click(),
    ]);
    const file = join(dir, download.suggestedFilename());
    await download.saveAs(file);
    expect(readFileSync(file, 'utf8')).toBe(privateKey);
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('row').filter({ hasText: 'made here' }).waitFor();
    expect(await page.content()).not.toContain('PRIVATE KEY');
    const demo = await at.cloud.as('demo');
    const { keypair } = await demo.call<{ keypair: { public_key: string } }>(
      'GET',
      '/compute/v2.1/os-keypairs/made%20here',
    );
    await run(['chmod', '600', file], { timeoutMs: 5_000 });
    const { stdout } = await run(['ssh-keygen', '-y', '-f', file], { timeoutMs: 10_000 });
    expect(stdout.trim()).toBe(keypair.public_key);
    const secrets = privateKey.split('\n').slice(3, -2);
    expect(secrets.length).toBeGreaterThan(2);
    expect(sent.filter((one) => secrets.some((line) => one.includes(line)))).toEqual([]);
    await page.context().close();
  });
});

describe('flavors', () => {
  it('an operator makes one for one project only', async () => {
    const { page } = await at.as('admin');
    await page.goto('/flavors');
    await settle(page);
    await page.getByRole('button', { name: 'Create flavor' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name', { exact: true }).fill('c1.special');
    await dialog.getByRole('switch').click();
    await submit(page);
    await choose(page, 'c1.special', 'Who may use it');
    await dialog.getByLabel('Project').click();
    await page.locator('.ant-select-item-option').filter({ hasText: 'demo' }).click();
    await dialog.getByRole('button', { name: 'Allow' }).click();
    await dialog.getByRole('button', { name: 'Take away from demo' }).waitFor();
    await page.context().close();
    const tenant = await at.as('demo');
    await tenant.page.goto('/flavors');
    await tenant.page.getByRole('row').filter({ hasText: 'c1.special' }).waitFor();
    await tenant.page.context().close();
  });
});
