// The web console: how much a browser loads before it shows something, how soon it does, and how a long list scrolls.
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { settle, signIn, startBrowser, visit } from '../../tools/console/browser.ts';
import { line, median, ms, spread, withFolder, type Figure } from '../figure.ts';
import { concurrently } from '../load/client.ts';
import { prepareServers, startSimCloud, untilActive, type SimCloud } from '../load/sim-cloud.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const BUILT = join(ROOT, '.cache/console');
const SERVERS = 1000;
const HOSTS = 50;
const RUNS = 5;
const JS_TARGET_KB = 400;
const PAINT_TARGET_MS = 1000;
const FRAMES_TARGET = 30;

/** kB, gzipped: the scripts that the first page names, and what they import at once. */
function initialScripts(): number {
  const html = readFileSync(join(BUILT, 'index.html'), 'utf8');
  const names = [...html.matchAll(/(?:src|href)="\/assets\/([^"]+\.js)"/g)].map((match) => match[1] ?? '');
  return names.reduce((sum, name) => sum + statSync(join(BUILT, 'assets', `${name}.gz`)).size, 0) / 1000;
}

/** ms until the browser painted something of a page that it never saw; and until the form can be filled in. */
async function firstPaint(browser: Browser, cloud: SimCloud): Promise<{ paint: number; useful: number }> {
  const { page } = await visit(browser, cloud.url);
  await page.locator('#password').waitFor();
  const useful = await page.evaluate<number>('performance.now()');
  const paint = await page.evaluate<number>(
    'performance.getEntriesByName("first-contentful-paint")[0].startTime',
  );
  await page.context().close();
  return { paint, useful };
}

/** Frames of three seconds in which the list is scrolled without a pause. */
async function scrolling(page: Page): Promise<{ perSecond: number; slowestMs: number }> {
  const frames = await page.evaluate<number[]>(`new Promise((resolve) => {
    const holder = document.querySelector('.ant-table-tbody-virtual-holder');
    const times = [];
    const step = (now) => {
      times.push(now);
      holder.scrollTop += 80;
      if (now - times[0] < 3000) requestAnimationFrame(step); else resolve(times);
    };
    requestAnimationFrame(step);
  })`);
  const gaps = frames.slice(1).map((at, index) => at - (frames[index] ?? at));
  return {
    perSecond: (gaps.length * 1000) / ((frames.at(-1) ?? 0) - (frames[0] ?? 0)),
    slowestMs: Math.max(...gaps),
  };
}

export const console: Figure = {
  name: 'console',
  title: 'the web console: initial scripts, first paint, a list of 1,000 servers',
  async measure(say) {
    execFileSync('bash', ['-c', '. tools/bootstrap.sh && require_node && require_console'], { cwd: ROOT });
    return withFolder(async (dir) => {
      const cloud = await startSimCloud(dir, HOSTS);
      const browser = await startBrowser();
      try {
        const body = await prepareServers(cloud, dir);
        await concurrently(SERVERS, 16, (at) =>
          cloud.demo.call('POST', '/compute/v2.1/servers', body(`server-${at}`)),
        );
        await untilActive(cloud, SERVERS, 120);
        const paints: { paint: number; useful: number }[] = [];
        for (let run = 0; run < RUNS; run++) paints.push(await firstPaint(browser, cloud));
        say(`first paints: ${paints.map(({ useful }) => ms(useful)).join(', ')}`);

        const visitor = await visit(browser, cloud.url);
        const { page } = visitor;
        await signIn(visitor, { url: cloud.url, user: 'demo', password: cloud.passwords.demo });
        const rows: number[] = [];
        for (let run = 0; run < RUNS; run++) {
          await page.goto('/servers');
          await page
            .getByRole('link', { name: /^server-/ })
            .first()
            .waitFor();
          rows.push(await page.evaluate<number>('performance.now()'));
        }
        await settle(page);
        const { perSecond, slowestMs } = await scrolling(page);
        const useful = paints.map((one) => one.useful);
        const size = initialScripts();
        return [
          line('console: initial scripts, gzipped', `${size.toFixed(0)} kB`, {
            target: `≤ ${JS_TARGET_KB} kB`,
            met: size <= JS_TARGET_KB,
          }),
          line('console: until the sign-in form can be filled in, cold cache', spread(useful, ms), {
            target: `≤ ${PAINT_TARGET_MS} ms`,
            met: median(useful) <= PAINT_TARGET_MS,
            rival: `first paint of anything: ${ms(median(paints.map(({ paint }) => paint)))}`,
          }),
          line(`console: until the first of ${SERVERS} servers is listed`, spread(rows, ms)),
          line(
            `console: scrolling ${SERVERS} servers, software rendering`,
            `${perSecond.toFixed(0)} frames/s`,
            {
              target: `≥ ${FRAMES_TARGET} frames/s`,
              met: perSecond >= FRAMES_TARGET,
              rival: `slowest frame ${ms(slowestMs)}`,
            },
          ),
        ];
      } finally {
        await browser.close();
        await cloud.stop();
      }
    });
  },
};
