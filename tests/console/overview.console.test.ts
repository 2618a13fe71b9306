// What a tenant sees first: what failed and what to do about it, what is left, what was done; in both languages.
import { beforeAll, describe, expect, it } from 'vitest';
import { settle } from '../../tools/console/browser.ts';
import { atConsole } from './at-console.ts';

const words = {
  en: {
    attention: 'Needs attention',
    next: 'Delete it and create it with a smaller flavor',
    created: 'demo created server',
    all: 'All events',
    project: 'Project',
  },
  zh: {
    attention: '需要处理',
    next: '删除后选择更小的规格',
    created: 'demo 创建了 服务器',
    all: '全部事件',
    project: '项目',
  },
} as const;

const at = atConsole();

beforeAll(async () => {
  const [admin, demo] = await Promise.all([at.cloud.as('admin'), at.cloud.as('demo')]);
  const { projects } = await demo.call<{ projects: { id: string }[] }>('GET', '/identity/v3/auth/projects');
  const { flavor } = await admin.call<{ flavor: { id: string } }>('POST', '/compute/v2.1/flavors', {
    flavor: { name: 'beyond', vcpus: 1, ram: 10_000_000, disk: 1 },
  });
  await admin.call('PUT', `/compute/v2.1/os-quota-sets/${projects[0]?.id}`, {
    quota_set: { ram: -1, instances: 1 },
  });
  const { images } = await demo.call<{ images: { id: string }[] }>('GET', '/image/v2/images?name=tiny');
  await demo.call('POST', '/compute/v2.1/servers', {
    server: { name: 'too-large', flavorRef: flavor.id, imageRef: images[0]?.id, networks: 'none' },
  });
}, 120_000);

describe.each(['en', 'zh'] as const)('a tenant who reads %s', (language) => {
  const w = words[language];

  it('is told what failed, why, and what to do next', async () => {
    const { page } = await at.as('demo', { language });
    const card = page.locator('.ant-card').filter({ hasText: w.attention }).first();
    await card.getByText('No valid host was found').waitFor();
    await card.getByText(/10000000 MiB requested/).waitFor();
    await card.getByText(w.next).waitFor();
    // The quota that is used up is a bar that can also be heard.
    await page.getByRole('progressbar', { name: /1 \/ 1$/ }).waitFor();
    await card.getByRole('link', { name: 'too-large' }).click();
    await page.getByRole('heading', { level: 1, name: 'too-large' }).waitFor();
    await page.context().close();
  });

  it('reads what was done by name, and narrows it by the address', async () => {
    const { page } = await at.as('demo', { language });
    await page.getByText(w.created).first().waitFor();
    await page.getByRole('link', { name: w.all }).click();
    await page.goto('/audit-log?target_type=server');
    await settle(page);
    const rows = page.getByRole('row').filter({ hasText: 'compute:servers:create' });
    await rows.filter({ hasText: 'too-large' }).first().waitFor();
    expect(await page.getByRole('row').filter({ hasText: 'create_' }).count()).toBe(0);
    // Others' projects and users are the operators' to choose from.
    expect(await page.locator('#content').getByLabel(w.project, { exact: true }).count()).toBe(0);
    await page.goto('/audit-log?since=yesterday');
    await page.getByRole('alert').getByText('yesterday').waitFor();
    await page.context().close();
  });
});
