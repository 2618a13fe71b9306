// What the tests of the console share: a cloud, a browser, somebody signed in, and the list of its pages.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import {
  accountOf,
  signIn,
  startBrowser,
  visit,
  type Visit,
  type VisitOptions,
} from '../../tools/console/browser.ts';
import { startCloud, type Cloud } from '../cloud.ts';

export type AtConsole = {
  readonly cloud: Cloud;
  /** A new visitor at the door. */
  arrive(options?: VisitOptions): Promise<Visit>;
  /** Signed in, at the overview. */
  as(user: 'demo' | 'admin', options?: VisitOptions): Promise<Visit>;
  password(user: 'demo' | 'admin'): string;
  /** Id of the project that a visitor works in. */
  projectOf(visit: Visit): Promise<string>;
};

/** One cloud and one browser for the tests of a file. */
export function atConsole(...args: string[]): AtConsole {
  let cloud: Cloud;
  let browser: Browser;
  const visits: Visit[] = [];
  beforeAll(async () => {
    [cloud, browser] = await Promise.all([startCloud(...args), startBrowser()]);
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    const called = new Set(visits.flatMap(({ calls }) => [...calls]));
    const unknown =
      cloud === undefined ? [] : await undocumented(cloud.url, called).catch((error) => [String(error)]);
    await cloud?.teardown();
    // What the console can do, a script can do with the same calls.
    expect(unknown).toEqual([]);
    // Whatever a page complained of, or its policy refused, is a defect of the page.
    expect([...new Set(visits.flatMap(({ complaints }) => complaints))]).toEqual([]);
  }, 180_000);

  const account = (user: 'demo' | 'admin') => accountOf(cloud.dataDir, user === 'admin' ? 'strata' : 'demo');
  const arrive = async (options?: VisitOptions): Promise<Visit> => {
    const made = await visit(browser, cloud.url, options);
    made.page.setDefaultTimeout(30_000);
    visits.push(made);
    return made;
  };
  return {
    get cloud() {
      return cloud;
    },
    arrive,
    async as(user, options) {
      const made = await arrive(options);
      await signIn(made, account(user));
      return made;
    },
    password: (user) => account(user).password,
    projectOf: ({ page }) =>
      page.evaluate<string>(`JSON.parse(sessionStorage.getItem('strata-session')).project.id`),
  };
}

/** Calls that no path of the cloud's OpenAPI document answers. */
async function undocumented(url: string, calls: ReadonlySet<string>): Promise<string[]> {
  const { paths } = (await (await fetch(`${url}/docs`)).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const known = Object.entries(paths).map(([path, verbs]) => ({
    verbs: new Set(Object.keys(verbs)),
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{[^}]+\}/g, '[^/]+')}/?$`),
  }));
  return [...calls].filter((call) => {
    const [method = '', path = ''] = call.split(' ');
    return !known.some(({ verbs, pattern }) => verbs.has(method.toLowerCase()) && pattern.test(path));
  });
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

type Finding = {
  id: string;
  impact: string | null;
  help: string;
  nodes: { target: unknown; html: string }[];
};

/** What axe finds serious or worse on the page as it is: 'rule: what, where'. */
export async function seriousFindings(page: Page): Promise<string[]> {
  // Colours of what fades in are no colours yet.
  await page.waitForTimeout(400);
  await page.evaluate(axeSource);
  const findings = (await page.evaluate(
    'axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)',
  )) as Finding[];
  return findings
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) =>
      nodes.slice(0, 3).map((node) => `${id}: ${help}, ${String(node.target)} ${node.html.slice(0, 160)}`),
    );
}
