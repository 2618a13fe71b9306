// Takes pictures of the console's pages, for docs/ and for whoever works on them.
// usage: node tools/console/screenshots.ts --data-dir DIR --out DIR [--cloud demo|strata] [--language en|zh] [--dark] [--width N] PATH...
//        a PATH may be followed by =NAME, the name of its file
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { accountOf, settle, signIn, startBrowser, visit } from './browser.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'data-dir': { type: 'string', default: '/var/lib/strata' },
    out: { type: 'string', default: '.' },
    cloud: { type: 'string', default: 'demo' },
    language: { type: 'string', default: 'en' },
    dark: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    width: { type: 'string', default: '1440' },
    height: { type: 'string', default: '900' },
  },
});

const account = accountOf(values['data-dir'], values.cloud === 'strata' ? 'strata' : 'demo');
mkdirSync(values.out, { recursive: true });
const browser = await startBrowser();
try {
  const opened = await visit(browser, account.url, {
    language: values.language === 'zh' ? 'zh' : 'en',
    dark: values.dark,
    width: Number(values.width),
    height: Number(values.height),
  });
  for (const wanted of positionals) {
    const [path = '/', name] = wanted.split('=');
    if (path !== '/sign-in') {
      if ((await opened.page.locator('#user').count()) > 0) await signIn(opened, account);
      await opened.page.goto(path);
    }
    await settle(opened.page);
    const file = `${name ?? (path === '/' ? 'overview' : path.slice(1).replaceAll('/', '-'))}.png`;
    await opened.page.screenshot({ path: join(values.out, file), fullPage: values.full });
    console.log(join(values.out, file));
  }
  for (const complaint of new Set(opened.complaints)) console.error(`complaint: ${complaint}`);
} finally {
  await browser.close();
}
