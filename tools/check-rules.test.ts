// Each rule is shown a tree that breaks it and the nearest tree that does not.
import { describe, expect, it } from 'vitest';
import { checkTree, readTree } from './check-rules.ts';

const opening = '// Why it exists.\n';

/** Violations as `file:line rule`, of a tree whose files all open with a comment. */
const check = (files: Record<string, string>): string[] =>
  checkTree(new Map(Object.entries(files).map(([path, text]) => [path, opening + text]))).map(
    ({ file, line, rule }) => `${file}:${line} ${rule}`,
  );

const tables = (names: string, depth = '../../..'): string =>
  `declare module '${depth}/kernel/db/index.ts' { interface Tables { ${names} } }\n`;

describe('layers', () => {
  it.each([
    ['kernel', 'src/kernel/http/server.ts', '../../control/app.ts'],
    ['kernel', 'src/kernel/work.ts', '../protocol/items.ts'],
    ['protocol', 'src/protocol/items.ts', '../kernel/ids.ts'],
    ['control', 'src/control/app.ts', '../agent/agent.ts'],
    ['agent', 'src/agent/agent.ts', '../control/network/index.ts'],
    ['testkit', 'src/kernel/work.ts', '../testkit/world.ts'],
  ])('refuse an import from %s upwards', (_layer, path, target) => {
    expect(check({ [path]: `import { x } from '${target}';` })).toEqual([`${path}:2 layers`]);
  });

  it.each([
    ['web/kit/api.ts', '../../src/kernel/ids.ts'],
    ['src/kernel/ids.ts', '../../web/kit/api.ts'],
    ['tests/console/a.ts', '../../web/kit/api.ts'],
  ])('keep the console a client of the API alone: %s', (path, target) => {
    expect(check({ [path]: `import type { X } from '${target}';` })).toEqual([`${path}:2 layers`]);
  });

  it('refuse it in every form an import can take', () => {
    const forms = [
      `import type { X } from '../control/app.ts';`,
      `export * from '../control/app.ts';`,
      `export { x } from '../control/app.ts';`,
      `type X = import('../control/app.ts').X;`,
      `const x = await import('../control/app.ts');`,
      `import '../control/app.ts';`,
    ];
    for (const form of forms)
      expect(check({ 'src/kernel/a.ts': form })).toEqual(['src/kernel/a.ts:2 layers']);
  });

  it('are not misled by an import in a comment or a string', () => {
    const text = `// import { x } from '../control/app.ts';\nconst s = "import '../control/app.ts'";\n`;
    expect(check({ 'src/kernel/a.ts': text })).toEqual([]);
  });

  it('let control and agent use protocol and kernel, and a test the testkit', () => {
    const text = `import { a } from '../protocol/items.ts';\nimport { b } from '../kernel/ids.ts';\n`;
    expect(
      check({
        'src/control/app.ts': text,
        'src/agent/agent.ts': text,
        'src/control/app.test.ts': `import { world } from '../testkit/world.ts';`,
        'src/main.ts': `import { a } from './control/app.ts';\nimport { b } from './agent/agent.ts';\n`,
      }),
    ).toEqual([]);
  });

  it('refuse a folder of src that has no place among them', () => {
    expect(check({ 'src/common/a.ts': `import { x } from '../kernel/ids.ts';` })).toEqual([
      'src/common/a.ts:2 layers',
    ]);
  });

  it('send a service to the index of another', () => {
    const path = 'src/control/compute/servers/service.ts';
    expect(check({ [path]: `import { x } from '../../network/ports/service.ts';` })).toEqual([
      `${path}:2 service-index`,
    ]);
    expect(check({ [path]: `import { x } from '../../network/index.ts';` })).toEqual([]);
    expect(check({ [path]: `import { x } from '../flavors/service.ts';` })).toEqual([]);
  });

  it('send app.ts to the index of a service as well', () => {
    expect(check({ 'src/control/app.ts': `import { x } from './network/ports/service.ts';` })).toEqual([
      'src/control/app.ts:2 service-index',
    ]);
  });
});

describe('import cycles', () => {
  const cycle = (importA: string): string[] =>
    check({
      'src/kernel/a.ts': importA,
      'src/kernel/b.ts': `import { c } from './c.ts';`,
      'src/kernel/c.ts': `import { a } from './a.ts';`,
    });

  it('are refused, however long', () => {
    expect(cycle(`import { b } from './b.ts';`)).toEqual(['src/kernel/c.ts:2 cycle']);
  });

  it('are refused when only the names are types, because the module is still loaded', () => {
    expect(cycle(`import { type B } from './b.ts';`)).toEqual(['src/kernel/c.ts:2 cycle']);
  });

  it('may go through a type-only import', () => {
    expect(cycle(`import type { B } from './b.ts';`)).toEqual([]);
  });
});

describe('the database', () => {
  it('is spoken to by its drivers only in src/kernel/db', () => {
    expect(check({ 'src/kernel/db/sqlite.ts': `import Database from 'better-sqlite3';` })).toEqual([]);
    expect(check({ 'src/kernel/work.ts': `import pg from 'pg';` })).toEqual([
      'src/kernel/work.ts:2 db-driver',
    ]);
    expect(check({ 'src/control/network/a.ts': `import type { Pool } from 'pg';` })).toEqual([
      'src/control/network/a.ts:2 db-driver',
    ]);
  });

  it('is told apart by engine only there', () => {
    const branch = `if (db.engine === 'sqlite') run();`;
    expect(check({ 'src/kernel/db/index.ts': branch, 'src/testkit/database.ts': branch })).toEqual([]);
    expect(check({ 'src/control/network/a.ts': branch })).toEqual(['src/control/network/a.ts:2 dialect']);
    expect(check({ 'src/kernel/a.ts': `switch (e) {\n  case 'postgres': run();\n}` })).toEqual([
      'src/kernel/a.ts:3 dialect',
    ]);
  });
});

describe('tables', () => {
  const ports = { 'src/control/network/ports/table.ts': tables('ports: { id: string }', '../../..') };
  const kernel = { 'src/kernel/db/index.ts': 'export interface Tables { counters: { name: string } }' };

  it.each([
    `db.selectFrom('ports').selectAll()`,
    `db.selectFrom(['servers', 'ports as p'])`,
    `db.selectFrom('servers as s').innerJoin('ports as p', 'p.id', 's.id')`,
    `db.selectFrom('servers').leftJoin('ports', 'ports.id', 'servers.id')`,
    `db.insertInto('ports').values(row)`,
    `db.updateTable('ports').set(row)`,
    `db.updateTable('servers').from('ports').set(row)`,
    `db.deleteFrom('ports')`,
    'sql`select 1 from ports where id = ${id}`',
    `db.selectFrom('counters')`,
  ])('of another owner are not touched by %s', (query) => {
    const path = 'src/control/compute/servers/service.ts';
    expect(check({ ...ports, ...kernel, [path]: `${query};` })).toEqual([`${path}:2 tables`]);
  });

  it('are open to every resource of the service that declares them, to tests and to the testkit', () => {
    const query = `db.selectFrom('ports');`;
    expect(
      check({
        ...ports,
        'src/control/network/floating-ips/service.ts': query,
        'src/control/compute/servers/service.slice.test.ts': query,
        'src/testkit/leaks.ts': query,
      }),
    ).toEqual([]);
  });

  it('have one owner', () => {
    const again = 'src/control/volume/table.ts';
    expect(check({ ...ports, [again]: tables('ports: { id: string }', '../..') })).toEqual([
      'src/control/volume/table.ts:2 tables',
    ]);
  });
});

describe('style', () => {
  it('wants a comment at the top', () => {
    const at = (text: string): string[] =>
      checkTree(new Map([['src/kernel/a.ts', text]])).map(({ rule }) => rule);
    expect(at('const a = 1;\n// late\n')).toEqual(['opening-comment']);
    expect(at('/** Why. */\nconst a = 1;\n')).toEqual([]);
    expect(at('#!/usr/bin/env node\n// Why.\n')).toEqual([]);
  });

  it('allows 400 lines, and more only with a reason', () => {
    const lines = (count: number): string => 'f();\n'.repeat(count - 1);
    expect(check({ 'src/kernel/a.ts': lines(400) })).toEqual([]);
    expect(check({ 'src/kernel/a.ts': lines(401) })).toEqual(['src/kernel/a.ts:1 length']);
    expect(check({ 'src/kernel/a.ts': `// lines: one table, read as a whole\n${lines(401)}` })).toEqual([]);
    expect(check({ 'src/kernel/a.ts': `// lines:\n${lines(401)}` })).toEqual(['src/kernel/a.ts:1 length']);
  });

  it.each([
    ['default export', 'export default 1;'],
    ['default export', 'const a = 1;export { a as default };'],
    ['enum', 'enum Colour { Red }'],
    ['namespace', 'namespace N { export const a = 1 }'],
    ['decorator', 'class C { @d m() {} }'],
    ['broken syntax', 'const = 1;'],
  ])('refuses %s: %s', (_what, text) => {
    expect(check({ 'src/kernel/a.ts': text })).toEqual(['src/kernel/a.ts:2 syntax']);
  });

  it.each(['utils.ts', 'net-helpers.ts', 'manager.ts', 'qemu.impl.ts', 'utils/a.ts'])(
    'refuses the file name %s',
    (name) => {
      expect(check({ [`src/kernel/${name}`]: '' })).toEqual([`src/kernel/${name}:1 name`]);
    },
  );

  it.each([
    'const serverManager = 1;',
    'class PortImpl {}',
    'function netUtils() {}',
    'type FooHelper = 1;',
    'const helpers = 1;',
  ])('refuses the name in: %s', (text) => {
    expect(check({ 'src/kernel/a.ts': text })).toEqual(['src/kernel/a.ts:2 name']);
  });

  it('lets the configuration of a tool have the default export that it wants', () => {
    expect(check({ 'web/vite.config.ts': 'export default {};' })).toEqual([]);
  });

  it.each([
    ['between tags', 'const a = <b>Delete it</b>;'],
    ['in Chinese', 'const a = <b>删除</b>;'],
    ['in an attribute that is read', 'const a = <b title="Delete it" />;'],
    ['in a label', 'const a = <b aria-label="Delete" />;'],
  ])('refuses words of one language %s', (_where, text) => {
    expect(check({ 'web/a/b.tsx': text })).toEqual(['web/a/b.tsx:2 language']);
  });

  it('knows what is no word', () => {
    const text = 'const a = <b className="wide" title={t.name}>Strata {t.is} · 1 × {n}</b>;';
    expect(check({ 'web/a/b.tsx': text })).toEqual([]);
  });

  it('knows that manager is also a role', () => {
    expect(check({ 'src/control/identity/roles.ts': `const manager = { name: 'manager' };` })).toEqual([]);
  });
});

it('The tree that is read from the disk is this repository', () => {
  const files = readTree(`${import.meta.dirname}/..`);
  expect([...files.keys()]).toContain('tools/check-rules.ts');
});
