// Every page there is, as everybody meets it: wide and narrow, light and dark, in both languages, by tenant and operator.
// No page is listed here: the menu leads to the lists, a list leads to its first resource.
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { settle, type VisitOptions } from '../../tools/console/browser.ts';
import { eventually } from '../cloud.ts';
import { atConsole, seriousFindings } from './at-console.ts';

const at = atConsole('--demo');

beforeAll(async () => {
  const demo = await at.cloud.as('demo');
  const { networks } = await demo.call<{ networks: { id: string }[] }>(
    'GET',
    '/network/v2.0/networks?router:external=true',
  );
  await demo.call('POST', '/network/v2.0/floatingips', {
    floatingip: { floating_network_id: networks[0]?.id },
  });
  await demo.call('POST', '/compute/v2.1/os-keypairs', {
    keypair: { name: 'shown', public_key: publicKey() },
  });
  const { projects } = await demo.call<{ projects: { id: string }[] }>('GET', '/identity/v3/auth/projects');
  const volumes = `/volume/v3/${projects[0]?.id}`;
  const { volume } = await demo.call<{ volume: { id: string } }>('POST', `${volumes}/volumes`, {
    volume: { size: 1, name: 'shown' },
  });
  await eventually('the volume', 30, async () => {
    const shown = await demo.call<{ volume: { status: string } }>('GET', `${volumes}/volumes/${volume.id}`);
    return shown.volume.status === 'available';
  });
  await demo.call('POST', `${volumes}/snapshots`, { snapshot: { volume_id: volume.id, name: 'shown' } });
  await eventually('the demo', 60, async () => at.cloud.output().includes('The cloud keeps running'));
}, 120_000);

/** RFC 8709: the name of the algorithm, then 32 bytes. */
function publicKey(): string {
  const field = (content: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(content.length);
    return Buffer.concat([length, content]);
  };
  const blob = Buffer.concat([field(Buffer.from('ssh-ed25519')), field(randomBytes(32))]);
  return `ssh-ed25519 ${blob.toString('base64')} shown`;
}

/** The lists of the menu, and the first resource of each. */
async function addresses(page: Page): Promise<string[]> {
  const menu: string[] = await page
    .getByRole('navigation')
    .getByRole('link')
    .evaluateAll((links) => links.map((link) => String(link.getAttribute('href'))));
  const paths: string[] = [];
  for (const path of menu) {
    paths.push(path);
    if (path === '/') continue;
    await page.goto(path);
    await settle(page);
    const below = await page
      .locator(`#content a[href^="${path}/"]`)
      .evaluateAll((links) => links.map((link) => String(link.getAttribute('href'))));
    paths.push(...new Set([...below.filter((href) => href.endsWith('/create')), ...below.slice(0, 1)]));
  }
  return paths;
}

const found = new Map<string, Promise<string[]>>();

/** What the menu of `user` leads to, looked up once. */
function addressesFor(user: 'demo' | 'admin'): Promise<string[]> {
  const look = async (): Promise<string[]> => {
    const { page } = await at.as(user);
    const paths = await addresses(page);
    await page.context().close();
    return paths;
  };
  const paths = found.get(user) ?? look();
  found.set(user, paths);
  return paths;
}

const looks: (VisitOptions & { name: string; user: 'demo' | 'admin' })[] = [
  { name: 'a tenant, English, wide', user: 'demo', language: 'en' },
  { name: 'an operator, Chinese, wide and dark', user: 'admin', language: 'zh', dark: true },
  { name: 'an operator, English, narrow', user: 'admin', language: 'en', width: 360, height: 740 },
];

describe.each(looks)('the pages for $name', ({ user, ...options }) => {
  it('can be used by everybody, fit the window, and complain of nothing', async () => {
    const paths = await addressesFor(user);
    expect(paths.length).toBeGreaterThan(user === 'admin' ? 20 : 10);
    const { page } = await at.as(user, options);
    const findings: string[] = [];
    for (const path of paths) {
      await page.goto(path);
      await settle(page);
      const heading = (await page.getByRole('heading', { level: 1 }).first().textContent()) ?? '';
      if (heading.trim() === '') findings.push(`${path}: no heading`);
      const overflow = await page.evaluate<number>(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      if (overflow > 0) findings.push(`${path}: ${overflow} px wider than the window`);
      findings.push(...(await seriousFindings(page)).map((finding) => `${path}: ${finding}`));
    }
    expect(findings).toEqual([]);
    await page.context().close();
  });
});
