// Networks in a browser: what is made and unmade between the tenant's servers and the outside, what a rule means in
// words, and the topology that shows what became of it without being asked again.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { settle } from '../../tools/console/browser.ts';
import { eventually } from '../cloud.ts';
import { atConsole, seriousFindings } from './at-console.ts';

const at = atConsole('--demo');

beforeAll(
  () => eventually('the demo', 120, async () => at.cloud.output().includes('The cloud keeps running')),
  180_000,
);

const dialog = (page: Page) => page.getByRole('dialog').last();

async function submit(page: Page, name: string): Promise<void> {
  await dialog(page).getByRole('button', { name, exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
}

async function choose(page: Page, field: string | RegExp, option: string): Promise<void> {
  await dialog(page).getByLabel(field).click();
  await page.locator('.ant-select-item-option:visible', { hasText: option }).first().click();
}

async function openPage(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await settle(page);
}

describe('networks and routers', () => {
  it('come up with a free subnet, take an IPv6 one, and are joined to the outside by a router', async () => {
    const { page } = await at.as('demo');
    await openPage(page, '/networks');
    await page.getByRole('button', { name: 'Create network' }).click();
    await dialog(page).getByLabel('Name', { exact: true }).fill('front');
    expect(await dialog(page).getByLabel('Network address').inputValue()).toBe('10.0.1.0/24');
    expect(await seriousFindings(page)).toEqual([]);
    await dialog(page).getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'front' }).waitFor();

    await page.getByRole('button', { name: 'Add subnet' }).click();
    await dialog(page).getByText('IPv6', { exact: true }).click();
    await dialog(page).getByLabel('Network address').fill('fd00:77::/64');
    await submit(page, 'Create');
    await page.getByRole('cell', { name: 'SLAAC', exact: true }).waitFor();

    await openPage(page, '/routers');
    await page.getByRole('button', { name: 'Create router' }).click();
    await dialog(page).getByLabel('Name', { exact: true }).fill('edge');
    await dialog(page).getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'edge' }).waitFor();
    await page.getByRole('button', { name: 'Add interface' }).click();
    await choose(page, 'Subnet', '10.0.1.0/24');
    await submit(page, 'Add');
    await page.getByRole('cell', { name: '10.0.1.1', exact: true }).waitFor();

    await page.getByRole('tab', { name: 'Static routes' }).click();
    await page.getByRole('button', { name: 'Edit routes' }).click();
    await dialog(page).getByLabel('To the network').fill('192.168.7.0');
    await dialog(page).getByLabel('Through').fill('10.0.1.77');
    await dialog(page).getByRole('button', { name: 'Save' }).click();
    await dialog(page).getByText('A network is needed').waitFor();
    await dialog(page).getByLabel('To the network').fill('192.168.7.0/24');
    await submit(page, 'Save');
    await page.getByRole('cell', { name: '192.168.7.0/24' }).waitFor();

    // What the cloud refuses is said where it was asked for.
    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog(page).getByRole('button', { name: 'Delete', exact: true }).click();
    await dialog(page).getByText('remove its interfaces first').waitFor();
    await dialog(page).getByRole('button', { name: 'Cancel' }).click();
    await page.context().close();
  });

  it('a port is made with an address of its own, and loses its protection with a word of warning', async () => {
    const { page } = await at.as('demo');
    await openPage(page, '/networks');
    await page.getByRole('link', { name: 'demo-net' }).click();
    await page.getByRole('tab', { name: 'Ports' }).click();
    await page.getByRole('button', { name: 'Create port' }).click();
    await dialog(page).getByLabel(/^Name/).fill('vip');
    await dialog(page).getByLabel('Address', { exact: true }).fill('10.77.0.99');
    await submit(page, 'Create');
    const row = page.getByRole('row').filter({ hasText: 'vip' });
    await row.getByText('10.77.0.99').waitFor();
    await row.getByRole('link', { name: 'default' }).waitFor();
    await page.getByRole('button', { name: 'Edit: vip' }).click();
    await dialog(page)
      .getByRole('switch', { name: /Port security/ })
      .click();
    await submit(page, 'Save');
    await row.getByText('Unprotected').waitFor();
    await page.getByRole('button', { name: 'Delete: vip' }).click();
    await submit(page, 'Delete');
    await row.waitFor({ state: 'hidden' });
    await page.context().close();
  });
});

describe('floating IPs', () => {
  it('lead to a server, forward ports once they do not, and are only then released', async () => {
    const { page } = await at.as('demo');
    await openPage(page, '/floating-ips');
    await page.getByRole('button', { name: 'Allocate floating IP' }).click();
    await choose(page, /^Leads to/, 'demo-vm');
    await submit(page, 'Allocate');
    await page.getByRole('link', { name: 'demo-vm' }).waitFor();
    expect(await page.getByRole('button', { name: /^Port forwardings/ }).isDisabled()).toBe(true);

    await page.getByRole('button', { name: /^Disassociate/ }).click();
    await dialog(page).getByText('demo-vm can no longer be reached').waitFor();
    await submit(page, 'Disassociate');
    await page.getByText('Nothing yet').waitFor();

    await page.getByRole('button', { name: /^Port forwardings/ }).click();
    await page.getByRole('button', { name: 'Add forwarding' }).click();
    await choose(page, 'Server and address', 'demo-container');
    await dialog(page).getByLabel('Outside port').fill('99999');
    await dialog(page).getByLabel('Port of the server').fill('80');
    await dialog(page).getByRole('button', { name: 'Add', exact: true }).click();
    await dialog(page).getByText('A port from 1 to 65535 is needed').waitFor();
    await dialog(page).getByLabel('Outside port').fill('8080');
    await dialog(page).getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByRole('cell', { name: '10.77.0.4 : 80' }).waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: /^Remove forwarding/ }).click();
    await dialog(page).getByRole('button', { name: 'Remove', exact: true }).click();
    await page.getByRole('cell', { name: '10.77.0.4 : 80' }).waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Close' }).first().click();

    await page.getByRole('button', { name: /^Release/ }).click();
    await submit(page, 'Release');
    await page.getByText('Nothing here yet').waitFor();
    await page.context().close();
  });
});

describe('security groups', () => {
  it.each([
    ['en', 'Add rule', 'Add', 'Every IPv4 address may reach these servers on TCP port 22 (SSH).'],
    ['zh', '添加规则', '添加', '允许任意 IPv4 地址访问这些服务器的 TCP 22 端口（SSH）。'],
  ] as const)(
    'say in words what a rule lets through, before and after it is added (%s)',
    async (language, add, confirm, sentence) => {
      const demo = await at.cloud.as('demo');
      const { security_group: group } = await demo.call<{ security_group: { id: string } }>(
        'POST',
        '/network/v2.0/security-groups',
        { security_group: { name: `web-${language}` } },
      );
      const { page } = await at.as('demo', { language });
      await openPage(page, `/security-groups/${group.id}`);
      await page.getByRole('button', { name: add }).click();
      await dialog(page).getByText(sentence).waitFor();
      expect(await seriousFindings(page)).toEqual([]);
      await dialog(page).locator('.ant-btn-primary', { hasText: confirm }).click();
      await page.getByRole('cell', { name: sentence, exact: true }).waitFor();
      await page.context().close();
    },
  );

  it('warn of a rule that opens everything to everybody', async () => {
    const { page } = await at.as('demo');
    await openPage(page, '/security-groups');
    await page.getByRole('link', { name: 'web-en' }).click();
    await page.getByRole('button', { name: 'Add rule' }).click();
    await choose(page, 'What is let through', 'Everything');
    await dialog(page).getByText('Everybody who reaches the network may reach').waitFor();
    await submit(page, 'Add');
    await page.getByText('Open to everybody').waitFor();
    await page.context().close();
  });
});

describe('the topology', () => {
  const placeOf = (page: Page, name: string): Promise<string> =>
    page
      .getByRole('button', { name, exact: false })
      .first()
      .evaluate((element) => {
        const box = (
          element as unknown as { getBoundingClientRect(): { x: number; y: number } }
        ).getBoundingClientRect();
        return `${Math.round(box.x)} ${Math.round(box.y)}`;
      });

  it('paints a state anew without moving anything, and finds what is looked for', async () => {
    const { page } = await at.as('demo');
    await openPage(page, '/topology');
    const tile = page.getByRole('button', { name: /^demo-container/ });
    await tile.getByText('Active').waitFor();
    const before = await placeOf(page, 'demo-container');

    const demo = await at.cloud.as('demo');
    const { servers } = await demo.call<{ servers: { id: string }[] }>(
      'GET',
      '/compute/v2.1/servers?name=demo-container',
    );
    await demo.call('POST', `/compute/v2.1/servers/${servers[0]?.id}/action`, { 'os-stop': null });
    await tile.getByText('Shut off').waitFor();
    expect(await placeOf(page, 'demo-container')).toBe(before);

    await page.getByRole('combobox', { name: /^Find a server/ }).fill('10.77.0.3');
    await page.keyboard.press('Enter');
    const panel = page.getByRole('dialog', { name: 'demo-vm' });
    await panel.getByText('Virtual machine').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await panel.getByRole('link', { name: 'Open its page' }).click();
    await page.getByRole('heading', { level: 1, name: 'demo-vm' }).waitFor();
    await page.context().close();
  });

  it('is used with the keyboard alone', async () => {
    const { page } = await at.as('admin');
    await openPage(page, '/topology');
    await page.getByRole('button', { name: /^demo-vm/ }).waitFor();
    await page.getByRole('region', { name: /^Map of/ }).focus();
    const before = await placeOf(page, 'demo-vm');
    await page.keyboard.press('ArrowRight');
    expect(await placeOf(page, 'demo-vm')).not.toBe(before);
    await page.keyboard.press('0');
    await page.getByRole('button', { name: 'Hide the servers of demo-net' }).press('Enter');
    await page.getByRole('button', { name: /^demo-vm/ }).waitFor({ state: 'hidden' });
    await page.getByRole('group', { name: 'demo-net' }).getByText('1 running').waitFor();
    await page.getByRole('button', { name: 'Show the servers of demo-net' }).press('Enter');
    await page.getByRole('button', { name: /^demo-vm/ }).press('Enter');
    await page.getByRole('dialog', { name: 'demo-vm' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name: 'demo-vm' }).waitFor({ state: 'hidden' });
    await page.context().close();
  });
});
