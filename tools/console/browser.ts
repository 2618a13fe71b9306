// A browser at a console: Debian's chromium, signed in as a user signs in. What the page complains of is kept.
import { readFileSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';
import { parse } from 'yaml';

export type Language = 'en' | 'zh';

export type Account = { url: string; user: string; password: string };

/** The account of a cloud's clouds.yaml, e.g. ('/var/lib/strata', 'demo'). */
export function accountOf(dataDir: string, cloud: 'demo' | 'strata'): Account {
  const { clouds } = parse(readFileSync(`${dataDir}/clouds.yaml`, 'utf8')) as {
    clouds: Record<string, { auth: { auth_url: string; username: string; password: string } }>;
  };
  const auth = clouds[cloud]?.auth;
  if (auth === undefined) throw new Error(`${dataDir}/clouds.yaml has no cloud ${cloud}`);
  return { url: new URL(auth.auth_url).origin, user: auth.username, password: auth.password };
}

/** Chromium refuses its sandbox to root; the pages are our own. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env['STRATA_CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });

export type Visit = {
  page: Page;
  /** What the console wrote as errors, and what the content security policy refused. */
  complaints: string[];
  /** Every call to the API: 'GET /compute/v2.1/servers/detail' */
  calls: Set<string>;
};

export type VisitOptions = {
  language?: Language;
  dark?: boolean;
  /** Pixels */
  width?: number;
  height?: number;
};

/** Opens the console in a context of its own. */
export async function visit(browser: Browser, url: string, options: VisitOptions = {}): Promise<Visit> {
  const context = await browser.newContext({
    baseURL: url,
    locale: options.language === 'zh' ? 'zh-CN' : 'en-GB',
    colorScheme: options.dark === true ? 'dark' : 'light',
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    ignoreHTTPSErrors: true,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const calls = new Set<string>();
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // What a service refused is shown to the user; the browser's own line about it says nothing more.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (['fetch', 'xhr'].includes(request.resourceType())) calls.add(`${request.method()} ${pathname}`);
  });
  await page.goto('/');
  return { page, complaints, calls };
}

export async function signIn({ page }: Visit, { user, password }: Account): Promise<void> {
  await page.locator('#user').fill(user);
  await page.locator('#password').fill(password);
  await page.locator('button[type=submit]').click();
  await page.locator('#content').waitFor();
}

/** Until nothing is loading any more. */
export async function settle(page: Page): Promise<void> {
  await page.waitForLoadState('networkidle');
  await page
    .locator('.ant-spin-spinning, .pending, .ant-skeleton-active')
    .first()
    .waitFor({ state: 'hidden', timeout: 15_000 })
    .catch(() => {});
}
