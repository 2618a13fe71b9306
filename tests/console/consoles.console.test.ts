// Consoles in a real browser, of a real virtual machine and a real container: what is typed is answered, what is taken
// over says so, and an address from the command line shows a screen to who is not signed in.
import { beforeAll, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { eventually } from '../cloud.ts';
import { atConsole, seriousFindings } from './at-console.ts';

const at = atConsole('--demo');
const ids: Record<string, string> = {};

beforeAll(async () => {
  await eventually('the demo', 120, async () => at.cloud.output().includes('The cloud keeps running'));
  const demo = await at.cloud.as('demo');
  const { servers } = await demo.call<{ servers: { id: string; name: string }[] }>(
    'GET',
    '/compute/v2.1/servers',
  );
  for (const { id, name } of servers) ids[name] = id;
}, 180_000);

/** Types into the terminal and waits for what has to come of it. */
async function ask(page: Page, command: string, answer: string): Promise<void> {
  const terminal = page.getByRole('group', { name: /Terminal|终端/ });
  await terminal.locator('.xterm').click();
  await page.keyboard.press('Enter');
  await page.keyboard.type(command);
  await page.keyboard.press('Enter');
  await terminal.locator('.xterm-rows').getByText(answer).first().waitFor();
}
const says = (page: Page, text: string) => page.getByText(text, { exact: true }).first().waitFor();

it('the serial console of a virtual machine answers, until somebody takes it over', async () => {
  const { page } = await at.as('demo');
  await page.goto(`/servers/${ids['demo-vm']}/console?kind=serial`);
  await says(page, 'Connected');
  await ask(page, 'echo strata-$((40+2))', 'strata-42');
  expect(await seriousFindings(page)).toEqual([]);
  const other = await at.as('demo', { language: 'zh', dark: true });
  await other.page.goto(`/servers/${ids['demo-vm']}/console?kind=serial`);
  await says(other.page, '已连接');
  await says(page, 'The console was taken over, or its guest does not run.');
  await page.getByRole('button', { name: 'Take it back' }).click();
  await says(page, 'Connected');
  await ask(page, 'echo strata-$((50+3))', 'strata-53');
});

it('the shell of a container answers, ends with exit, and begins again', async () => {
  const { page } = await at.as('demo', { width: 360, height: 740 });
  await page.goto(`/servers/${ids['demo-container']}/console`);
  await says(page, 'Connected');
  await ask(page, 'echo $(hostname)-$((40+2))', 'demo-container-42');
  await page.keyboard.type('exit');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Connect again' }).click();
  await says(page, 'Connected');
  await ask(page, 'echo again-$((40+2))', 'again-42');
});

it('the screen of a virtual machine is shown, also to who has its address alone', async () => {
  const { page } = await at.as('demo', { language: 'zh' });
  await page.goto(`/servers/${ids['demo-vm']}/console?kind=novnc`);
  await says(page, '已连接');
  await page.getByRole('group', { name: '服务器屏幕' }).locator('canvas').waitFor();
  expect(await seriousFindings(page)).toEqual([]);
  const demo = await at.cloud.as('demo');
  const { remote_console } = await demo.call<{ remote_console: { url: string } }>(
    'POST',
    `/compute/v2.1/servers/${ids['demo-vm']}/remote-consoles`,
    { remote_console: { protocol: 'vnc', type: 'novnc' } },
  );
  const guest = await at.arrive();
  await guest.page.goto(remote_console.url);
  await says(guest.page, 'Connected');
  await guest.page.locator('canvas').waitFor();
  expect(new URL(guest.page.url()).search).toBe('');
});

it('the log is text that can be read, followed and kept', async () => {
  const { page } = await at.as('demo');
  await page.goto(`/servers/${ids['demo-vm']}/console?kind=log`);
  await page.getByRole('log').getByText('STRATA').first().waitFor();
  const kept = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  expect((await kept).suggestedFilename()).toBe(`${ids['demo-vm']}.log`);
});

it('who signs out leaves no console open', async () => {
  const { page } = await at.as('demo');
  await page.goto(`/servers/${ids['demo-container']}/console`);
  await says(page, 'Connected');
  const token = await page.evaluate<string>('JSON.parse(sessionStorage.getItem("strata-session")).token');
  const answer = await fetch(`${at.cloud.url}/identity/v3/auth/tokens`, {
    method: 'DELETE',
    headers: { 'x-auth-token': token, 'x-subject-token': token },
  });
  expect(answer.status).toBe(204);
  await says(page, 'You have lost the right to this console.');
});
