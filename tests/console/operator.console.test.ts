// What an operator does: a project and its user, a quota, a host out of scheduling; in both languages.
import { describe, expect, it } from 'vitest';
import { settle, signIn, type Language } from '../../tools/console/browser.ts';
import { atConsole } from './at-console.ts';

const at = atConsole();

const words: Record<Language, Record<string, string>> = {
  en: {
    createProject: 'Create project',
    createUser: 'Create user',
    create: 'Create',
    name: 'Name',
    password: 'Password',
    defaultProject: 'Default project',
    quotas: 'Quotas',
    editQuotas: 'Edit quotas',
    networks: 'Networks',
    save: 'Save',
    disable: 'Disable',
    enable: 'Enable',
    reason: 'Reason',
    createNetwork: 'Create network',
    members: 'Members',
  },
  zh: {
    createProject: '创建项目',
    createUser: '创建用户',
    create: '创建',
    name: '名称',
    password: '密码',
    defaultProject: '默认项目',
    quotas: '配额',
    editQuotas: '编辑配额',
    networks: '网络',
    save: '保存',
    disable: '停用',
    enable: '启用',
    reason: '原因',
    createNetwork: '创建网络',
    members: '成员',
  },
};

describe.each(['en', 'zh'] as const)('an operator who reads %s', (language) => {
  const w = words[language] as Record<keyof (typeof words)['en'], string>;
  const project = `team-${language}`;
  const password = `Correct-horse-${language}-1`;

  it('makes a project and a user who works in it, within the quota that was set', async () => {
    const { page } = await at.as('admin', { language });
    const dialog = page.getByRole('dialog');
    await page.goto('/projects');
    await page.getByRole('button', { name: w['createProject'] ?? '' }).click();
    await dialog
      .getByLabel(w['name'] ?? '', { exact: false })
      .first()
      .fill(project);
    await dialog.getByRole('button', { name: w['create'] ?? '', exact: true }).click();
    await page.getByRole('link', { name: project }).click();

    await page.getByRole('tab', { name: w['quotas'] ?? '' }).click();
    await page.getByRole('button', { name: w['editQuotas'] ?? '' }).click();
    await dialog.getByLabel(w['networks'] ?? '', { exact: true }).fill('0');
    await dialog.getByRole('button', { name: w['save'] ?? '', exact: true }).click();
    await dialog.waitFor({ state: 'hidden' });

    await page.goto('/users');
    await page.getByRole('button', { name: w['createUser'] ?? '' }).click();
    await dialog
      .getByLabel(w['name'] ?? '')
      .first()
      .fill(`${project}-user`);
    await dialog.locator('#password').fill(password);
    await dialog.getByLabel(w['defaultProject'] ?? '').click();
    await page.getByTitle(project, { exact: true }).click();
    await dialog.getByRole('button', { name: w['create'] ?? '', exact: true }).click();
    await page.getByRole('link', { name: `${project}-user` }).waitFor();
    await page.context().close();

    const member = await at.arrive({ language });
    await signIn(member, { url: at.cloud.url, user: `${project}-user`, password });
    await member.page.goto('/networks');
    await settle(member.page);
    await member.page
      .getByRole('button', { name: w['createNetwork'] ?? '' })
      .first()
      .click();
    const form = member.page.getByRole('dialog');
    await form
      .getByLabel(w['name'] ?? '')
      .first()
      .fill('one-too-many');
    await form.getByRole('button', { name: w['create'] ?? '', exact: true }).click();
    // The server's own words, with the request to ask about; and the form as it was.
    await form.getByRole('alert').getByText(/quota/i).first().waitFor();
    await form.getByText(/req-[0-9a-f-]{36}/).waitFor();
    expect(
      await form
        .getByLabel(w['name'] ?? '')
        .first()
        .inputValue(),
    ).toBe('one-too-many');
    await member.page.context().close();
  });

  it('takes a host out of scheduling with a reason, and puts it back', async () => {
    const { page } = await at.as('admin', { language });
    await page.goto('/hosts');
    await page.getByRole('button', { name: w['disable'] ?? '' }).click();
    await page
      .getByRole('dialog')
      .getByLabel(w['reason'] ?? '')
      .fill('new memory');
    await page
      .getByRole('dialog')
      .getByRole('button', { name: w['disable'] ?? '' })
      .click();
    await page.getByRole('button', { name: w['enable'] ?? '' }).waitFor();
    const admin = await at.cloud.as('admin');
    const services = () =>
      admin.call<{ services: { binary: string; status: string; disabled_reason: string | null }[] }>(
        'GET',
        '/compute/v2.1/os-services?binary=nova-compute',
      );
    expect((await services()).services).toMatchObject([
      { status: 'disabled', disabled_reason: 'new memory' },
    ]);
    await page.getByRole('button', { name: w['enable'] ?? '' }).click();
    await page.getByRole('button', { name: w['disable'] ?? '' }).waitFor();
    expect((await services()).services).toMatchObject([{ status: 'enabled' }]);
    await page.context().close();
  });

  it('reads what was done, and by whom', async () => {
    const { page } = await at.as('admin', { language });
    await page.goto('/audit-log');
    await page.getByText('identity:create_project').first().waitFor();
    await page.context().close();
  });
});
