// What a tenant does on the first day, in both languages: a network, a VM and a container on it, their consoles and log,
// an address from outside, the picture of it all, a quota that is hit, and out again.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Locator, Page } from 'playwright-core';
import { settle, type Language, type Visit } from '../../tools/console/browser.ts';
import { eventually } from '../cloud.ts';
import { atConsole } from './at-console.ts';

const at = atConsole();

type Words = {
  name: string;
  createNetwork: string;
  createServer: string;
  create: string;
  active: string;
  console: string;
  shell: string;
  log: string;
  allocate: string;
  overQuota: string;
  signOut: string;
  signIn: string;
};
const words: Record<Language, Words> = {
  en: {
    name: 'Name',
    createNetwork: 'Create network',
    createServer: 'Create server',
    create: 'Create',
    active: 'Active',
    console: 'Console',
    shell: 'Shell',
    log: 'Log',
    allocate: 'Allocate floating IP',
    overQuota: 'The quota does not suffice. Choose less, delete something, or ask an operator for more.',
    signOut: 'Sign out',
    signIn: 'Sign in',
  },
  zh: {
    name: '名称',
    createNetwork: '创建网络',
    createServer: '创建服务器',
    create: '创建',
    active: '运行',
    console: '控制台',
    shell: '终端',
    log: '日志',
    allocate: '分配浮动 IP',
    overQuota: '配额不足。请减少用量、删除部分资源，或请管理员提高配额。',
    signOut: '退出登录',
    signIn: '登录',
  },
};

/** Chooses in a select that can be searched by typing. */
async function choose(page: Page, field: Locator, text: string): Promise<void> {
  await field.click();
  await field.fill(text);
  await page.locator('.ant-select-item-option:visible', { hasText: text }).first().click();
  await page.keyboard.press('Escape');
}

/** Types a command whose answer cannot be mistaken for its echo, again until the guest is listening. */
async function runs(page: Page): Promise<void> {
  const terminal = page.locator('.xterm-helper-textarea');
  await terminal.waitFor({ state: 'attached' });
  await eventually('the answer of the command', 60, async () => {
    await terminal.focus();
    await page.keyboard.type('\necho answer-$((6*7))\n');
    return page
      .locator('.xterm-rows', { hasText: 'answer-42' })
      .waitFor({ timeout: 3_000 })
      .then(
        () => true,
        () => false,
      );
  });
}

describe.each(['en', 'zh'] as const)('a tenant who reads %s', (language) => {
  const w = words[language];
  const [net, vm, container] = [`net-${language}`, `vm-${language}`, `container-${language}`];
  let visit: Visit;
  let page: Page;
  beforeAll(async () => {
    visit = await at.as('demo', { language });
    page = visit.page;
  });

  it('makes a network with its subnet', async () => {
    await page.goto('/networks');
    await settle(page);
    await page.getByRole('button', { name: w.createNetwork }).first().click();
    await page.getByRole('dialog').getByLabel(w.name, { exact: true }).first().fill(net);
    await page.getByRole('dialog').getByRole('button', { name: w.create, exact: true }).click();
    await page.getByRole('heading', { level: 1, name: net }).waitFor();
  });

  it.each([
    [vm, 'tiny ('],
    [container, 'tiny-container ('],
  ])('makes %s of the image %s…) and sees it become active', async (name, image) => {
    await page.goto('/servers/create');
    await settle(page);
    await page.locator('#name').fill(name);
    await choose(page, page.locator('#imageId'), image);
    if ((await page.locator('.ant-select-selection-item', { hasText: net }).count()) === 0)
      await choose(page, page.locator('#networkIds'), net);
    await page.getByRole('button', { name: w.createServer }).click();
    await page.getByRole('heading', { level: 1, name }).waitFor();
    await page.locator('#content').getByText(w.active, { exact: true }).first().waitFor();
  });

  it('types into the serial console of the VM, and into a shell of the container', async () => {
    await openServer(page, vm);
    await page.getByRole('tab', { name: w.console, exact: true }).click();
    await runs(page);
    await openServer(page, container);
    await page.getByRole('tab', { name: w.shell, exact: true }).click();
    await runs(page);
  });

  it('reads the log of the VM', async () => {
    await openServer(page, vm);
    await page.getByRole('tab', { name: w.log, exact: true }).click();
    await page.getByText('answer-42').first().waitFor();
  });

  it('gives the VM an address from outside', async () => {
    await routed(net);
    await page.goto('/floating-ips');
    await settle(page);
    await page.getByRole('button', { name: w.allocate }).first().click();
    await choose(page, page.getByRole('dialog').locator('[id$=target]'), vm);
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /Allocate|分配/ })
      .click();
    await page.getByRole('link', { name: vm }).waitFor();
  });

  it('sees it all in the topology', async () => {
    await page.goto('/topology');
    for (const name of [net, vm, container]) await page.getByText(name, { exact: true }).first().waitFor();
  });

  it('hits a quota, is told which, and keeps the form', async () => {
    await page.goto('/servers/create');
    await settle(page);
    const admin = await at.cloud.as('admin');
    const { servers } = await (
      await at.cloud.as('demo')
    ).call<{ servers: object[] }>('GET', '/compute/v2.1/servers');
    const project = await at.projectOf(visit);
    const limit = (instances: number) =>
      admin.call('PUT', `/compute/v2.1/os-quota-sets/${project}`, { quota_set: { instances } });
    await limit(servers.length);
    await page.reload();
    await settle(page);
    await page.locator('#name').fill('one-too-many');
    await choose(page, page.locator('#imageId'), 'tiny (');
    await page.getByText(`${servers.length} / ${servers.length}`).first().waitFor();
    await page.getByText(w.overQuota).first().waitFor();
    expect(await page.locator('#name').inputValue()).toBe('one-too-many');
    await limit(10);
  });

  it('signs out', async () => {
    await page.getByRole('button', { name: 'demo', exact: true }).click();
    await page.getByRole('menuitem', { name: w.signOut }).click();
    await page.getByRole('button', { name: w.signIn }).waitFor();
    await page.context().close();
  });
});

async function openServer(page: Page, name: string): Promise<void> {
  await page.goto('/servers');
  await page.getByRole('link', { name, exact: true }).click();
  await page.getByRole('heading', { level: 1, name }).waitFor();
}

/** A router from the network to the outside. */
async function routed(name: string): Promise<void> {
  const demo = await at.cloud.as('demo');
  const { networks } = await demo.call<{ networks: { name: string; id: string; subnets: string[] }[] }>(
    'GET',
    '/network/v2.0/networks',
  );
  const inside = networks.find((network) => network.name === name);
  const outside = networks.find((network) => network.name === 'public');
  const { router } = await demo.call<{ router: { id: string } }>('POST', '/network/v2.0/routers', {
    router: { name: `router-${name}`, external_gateway_info: { network_id: outside?.id } },
  });
  await demo.call('PUT', `/network/v2.0/routers/${router.id}/add_router_interface`, {
    subnet_id: inside?.subnets[0],
  });
}
