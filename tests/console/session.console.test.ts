// Who is signed in: the token's whereabouts, a session that ends on an open page, languages and appearance.
import { describe, expect, it } from 'vitest';
import { accountOf, settle, signIn } from '../../tools/console/browser.ts';
import { atConsole } from './at-console.ts';

const at = atConsole();

describe('signing in', () => {
  it('says no more than that it was wrong', async () => {
    const { page } = await at.arrive();
    await page.getByLabel('User').fill('demo');
    await page.getByLabel('Password', { exact: true }).fill('not this');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('User, password or domain is wrong.').waitFor();
    await page.context().close();
  });

  it('keeps the token out of localStorage, cookies and addresses; a reload keeps the session, a new tab has none', async () => {
    const { page } = await at.as('demo');
    const kept = await page.evaluate<string>('JSON.stringify({ ...localStorage }) + document.cookie');
    const session = await page.evaluate(() => sessionStorage.getItem('strata-session') ?? '');
    const { token } = JSON.parse(session) as { token: string };
    expect(token.length).toBeGreaterThan(20);
    expect(kept).not.toContain(token.slice(0, 20));
    expect(page.url()).not.toContain(token.slice(0, 20));
    await page.reload();
    await page.locator('#content').waitFor();
    const other = await page.context().newPage();
    await other.goto('/');
    await other.getByRole('button', { name: 'Sign in' }).waitFor();
    await page.context().close();
  });

  it('asks for the password again over the open page when the session ended, and the form is as it was', async () => {
    const visit = await at.as('demo');
    const { page } = visit;
    await page.goto('/networks');
    await settle(page);
    await page
      .getByRole('button', { name: /create/i })
      .first()
      .click();
    await page.getByRole('dialog').getByLabel('Name', { exact: true }).fill('kept-over-the-end');
    // Revoked behind the page's back, as an administrator or a change of the password does.
    const token = await page.evaluate(
      () => (JSON.parse(sessionStorage.getItem('strata-session') ?? '') as { token: string }).token,
    );
    const revoked = await fetch(`${at.cloud.url}/identity/v3/auth/tokens`, {
      method: 'DELETE',
      headers: { 'x-auth-token': token, 'x-subject-token': token },
    });
    expect(revoked.status).toBe(204);
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /create/i })
      .click();
    await page.getByText('Your session has ended').waitFor();
    await page.getByLabel('Password', { exact: true }).fill(at.password('demo'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    // What waited for the session went on: nothing has to be typed again.
    await page.getByRole('heading', { level: 1, name: 'kept-over-the-end' }).waitFor();
    await page.context().close();
  });

  it('ends with the token revoked', async () => {
    const { page } = await at.as('demo');
    const token = await page.evaluate(
      () => (JSON.parse(sessionStorage.getItem('strata-session') ?? '') as { token: string }).token,
    );
    await page.getByRole('button', { name: 'demo', exact: true }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    const answer = await fetch(`${at.cloud.url}/identity/v3/auth/projects`, {
      headers: { 'x-auth-token': token },
    });
    expect(answer.status).toBe(401);
    expect(await page.evaluate(() => sessionStorage.getItem('strata-session'))).toBeNull();
    await page.context().close();
  });

  it('leads back to the page that was asked for', async () => {
    const visit = await at.arrive();
    await visit.page.goto('/security-groups');
    await signIn(visit, accountOf(at.cloud.dataDir, 'demo'));
    await visit.page.getByRole('heading', { level: 1, name: 'Security groups' }).waitFor();
    await visit.page.context().close();
  });
});

describe('preferences', () => {
  it('change the language at once and for good', async () => {
    const { page } = await at.as('demo');
    await page.getByRole('button', { name: 'Language' }).click();
    await page.getByRole('menuitem', { name: '简体中文' }).click();
    await page.getByRole('heading', { level: 1, name: '概览' }).waitFor();
    expect(await page.evaluate('document.documentElement.lang')).toBe('zh-CN');
    await page.reload();
    await page.getByRole('heading', { level: 1, name: '概览' }).waitFor();
    await page.context().close();
  });

  it('begin with what the browser prefers', async () => {
    const { page } = await at.arrive({ language: 'zh', dark: true });
    await page.getByRole('button', { name: '登录' }).waitFor();
    expect(await page.evaluate('document.documentElement.dataset.appearance')).toBe('dark');
    await page.context().close();
  });
});

it('an address that leads nowhere says so', async () => {
  const { page } = await at.as('demo');
  await page.goto('/no-such-page');
  await page.getByText('There is no such page').waitFor();
  await page.context().close();
});
