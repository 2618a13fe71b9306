// Takes the pictures of docs/console: the main pages of a cloud that runs, in both languages.
// usage: node tools/console/document.ts --data-dir DIR   (./up --demo --data-dir DIR; Chinese needs fonts-noto-cjk)
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import { accountOf, settle, signIn, startBrowser, visit, type Language } from './browser.ts';

const { values } = parseArgs({ options: { 'data-dir': { type: 'string', default: '/var/lib/strata' } } });
const OUT = join(import.meta.dirname, '../../docs/console');

type Picture = {
  name: string;
  path: string;
  as: 'demo' | 'strata';
  /** What is clicked on the way, after the page has settled. */
  open?(page: Page): Promise<void>;
  dark?: boolean;
  width?: number;
};

const demo = (name: string, path: string, more: Partial<Picture> = {}): Picture => ({
  name,
  path,
  as: 'demo',
  ...more,
});
const operator = (name: string, path: string): Picture => ({ name, path, as: 'strata' });

/** The page of the first resource whose name begins so. */
const first =
  (name: string) =>
  async (page: Page): Promise<void> =>
    page
      .getByRole('link', { name: new RegExp(`^${name}`) })
      .first()
      .click();

const pictures: readonly Picture[] = [
  demo('overview', '/'),
  demo('servers', '/servers'),
  demo('create-server', '/servers/create'),
  demo('server', '/servers', { open: first('demo-vm') }),
  demo('topology', '/topology'),
  demo('topology-dark', '/topology', { dark: true }),
  demo('network', '/networks', { open: first('demo-net') }),
  demo('security-group', '/security-groups', { open: first('demo-ping') }),
  demo('images', '/images'),
  demo('volumes', '/volumes'),
  demo('keypairs', '/keypairs'),
  demo('servers-narrow', '/servers', { width: 360 }),
  operator('hosts', '/hosts'),
  operator('projects', '/projects'),
  operator('audit-log', '/audit-log'),
];

const browser = await startBrowser();
try {
  for (const language of ['en', 'zh'] satisfies Language[]) {
    mkdirSync(join(OUT, language), { recursive: true });
    for (const { name, path, as, open, dark, width } of pictures) {
      const account = accountOf(values['data-dir'], as);
      const visitor = await visit(browser, account.url, {
        language,
        dark: dark ?? false,
        width: width ?? 1280,
        height: width === undefined ? 800 : 640,
      });
      const { page } = visitor;
      await signIn(visitor, account);
      await page.goto(path);
      await settle(page);
      await open?.(page);
      await settle(page);
      await page.screenshot({ path: join(OUT, language, `${name}.png`) });
      console.log(`${language}/${name}.png`);
      await page.context().close();
    }
  }
} finally {
  await browser.close();
}
