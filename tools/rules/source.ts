// Reads one source file into the facts that the rules judge, with the parser that vite brings along (Oxc).
import { dirname, join } from 'node:path/posix';
import { parseSync, Visitor, type ESTree } from 'vite';

/** What a rule says about a place; printed as `file:line rule message`. */
export type Violation = { file: string; line: number; rule: string; message: string };

export type Import = {
  /** A path from the repository's root for a relative import, otherwise the package's name. */
  target: string;
  relative: boolean;
  /** `import type`: gone at run time. `import { type A }` is not: the module is still loaded. */
  typeOnly: boolean;
  line: number;
};

export type TableName = { table: string; line: number };

export type Source = {
  /** From the repository's root, with forward slashes. */
  path: string;
  lineCount: number;
  firstLines: string[];
  opensWithComment: boolean;
  imports: Import[];
  /** Members of `interface Tables`, where the module is or augments the database's index. */
  declaredTables: TableName[];
  /** Tables named in queries: `selectFrom('servers as s')`, sql`... from servers`. */
  usedTables: TableName[];
  /** Names this file declares: functions, variables, types, classes. */
  declaredNames: { name: string; line: number }[];
  forbiddenSyntax: { what: string; line: number }[];
  /** Comparisons with the name of a database engine. */
  dialectBranches: { line: number }[];
  /** Words between tags, or in an attribute that is read: they exist in one language only. */
  untranslated: { text: string; line: number }[];
  syntaxErrors: { message: string; line: number }[];
};

export const databaseIndex = 'src/kernel/db/index.ts';

const tableMethods = new Set([
  'selectFrom',
  'insertInto',
  'replaceInto',
  'updateTable',
  'deleteFrom',
  'mergeInto',
  'innerJoin',
  'leftJoin',
  'rightJoin',
  'fullJoin',
  'crossJoin',
  'innerJoinLateral',
  'leftJoinLateral',
  'createTable',
  'alterTable',
  'dropTable',
]);

const readAttributes = new Set([
  'title',
  'label',
  'placeholder',
  'description',
  'okText',
  'aria-label',
  'alt',
]);

const engineNames = new Set(['sqlite', 'postgres', 'postgresql']);

// Tests run on both engines on purpose, and the testkit opens either.
const isTest = (path: string): boolean => path.endsWith('.test.ts') || path.startsWith('src/testkit/');

/** 'volumes as v' -> 'volumes' */
const tableOf = (reference: string): string => reference.trim().split(/\s/, 1)[0] ?? '';

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

const stringOf = (node: ESTree.Node | null | undefined): string | undefined =>
  node?.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined;

const isEngineName = (node: ESTree.Node | null): boolean => engineNames.has(stringOf(node) ?? '');

const lineFinder = (text: string): ((offset: number) => number) => {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    const next = starts.findIndex((start) => start > offset);
    return next === -1 ? starts.length : next;
  };
};

export const readSource = (path: string, text: string): Source => {
  const parsed = parseSync(path, text);
  const lineAt = lineFinder(text);
  const opening = text.search(/\S/);
  const lines = text.split('\n');
  const source: Source = {
    path,
    lineCount: text.endsWith('\n') ? lines.length - 1 : lines.length,
    firstLines: lines.slice(0, 5),
    opensWithComment: text.startsWith('#!') || parsed.comments[0]?.start === opening,
    imports: [],
    declaredTables: [],
    usedTables: [],
    declaredNames: [],
    forbiddenSyntax: [],
    dialectBranches: [],
    untranslated: [],
    syntaxErrors: parsed.errors.map((error) => ({
      message: error.message,
      line: lineAt(error.labels[0]?.start ?? 0),
    })),
  };

  const resolve = (specifier: string): string =>
    specifier.startsWith('.') ? join(dirname(path), specifier) : packageOf(specifier);

  const addImport = (from: ESTree.Node | null, typeOnly: boolean): void => {
    const specifier = stringOf(from);
    if (from === null || specifier === undefined) return;
    source.imports.push({
      target: resolve(specifier),
      relative: specifier.startsWith('.'),
      typeOnly,
      line: lineAt(from.start),
    });
  };

  const addWords = (text: string, node: ESTree.Node): void => {
    if (/\p{L}{2}/u.test(text) && text.trim() !== 'Strata')
      source.untranslated.push({ text: text.trim(), line: lineAt(node.start) });
  };

  const addTables = (body: ESTree.TSInterfaceBody): void => {
    for (const member of body.body) {
      if (member.type !== 'TSPropertySignature') continue;
      const table = member.key.type === 'Identifier' ? member.key.name : stringOf(member.key);
      if (table !== undefined) source.declaredTables.push({ table, line: lineAt(member.start) });
    }
  };

  const useTable = (node: ESTree.Node | undefined): void => {
    if (node?.type === 'ArrayExpression') {
      for (const element of node.elements) if (element !== null) useTable(element);
      return;
    }
    const reference = stringOf(node);
    if (node === undefined || reference === undefined) return;
    source.usedTables.push({ table: tableOf(reference), line: lineAt(node.start) });
  };

  const declare = (id: ESTree.Node | null): void => {
    if (id?.type === 'Identifier') source.declaredNames.push({ name: id.name, line: lineAt(id.start) });
  };

  const forbid = (what: string, node: ESTree.Node): void => {
    source.forbiddenSyntax.push({ what, line: lineAt(node.start) });
  };

  new Visitor({
    ImportDeclaration: (node) => addImport(node.source, node.importKind === 'type'),
    ExportAllDeclaration: (node) => addImport(node.source, node.exportKind === 'type'),
    ExportNamedDeclaration: (node) => {
      addImport(node.source, node.exportKind === 'type');
      for (const { exported } of node.specifiers) {
        if (exported.type === 'Identifier' && exported.name === 'default') forbid('default export', node);
      }
    },
    ImportExpression: (node) => addImport(node.source, false),
    TSImportType: (node) => addImport(node.source, true),
    // The tools that a configuration is for want it as a default export.
    ExportDefaultDeclaration: (node) => {
      if (!path.endsWith('.config.ts')) forbid('default export', node);
    },
    JSXText: (node) => addWords(node.value, node),
    JSXAttribute: (node) => {
      const name = node.name.type === 'JSXIdentifier' ? node.name.name : '';
      if (readAttributes.has(name)) addWords(stringOf(node.value) ?? '', node);
    },
    TSEnumDeclaration: (node) => {
      forbid('enum', node);
      declare(node.id);
    },
    Decorator: (node) => forbid('decorator', node),
    TSModuleDeclaration: (node) => {
      if (node.id.type !== 'Literal') {
        forbid('namespace', node);
        return;
      }
      if (resolve(node.id.value) !== databaseIndex || node.body?.type !== 'TSModuleBlock') return;
      for (const inner of node.body.body) {
        const declaration = inner.type === 'ExportNamedDeclaration' ? inner.declaration : inner;
        if (declaration?.type === 'TSInterfaceDeclaration' && declaration.id.name === 'Tables') {
          addTables(declaration.body);
        }
      }
    },
    TSInterfaceDeclaration: (node) => {
      declare(node.id);
      if (path === databaseIndex && node.id.name === 'Tables') addTables(node.body);
    },
    TSTypeAliasDeclaration: (node) => declare(node.id),
    ClassDeclaration: (node) => declare(node.id),
    FunctionDeclaration: (node) => declare(node.id),
    VariableDeclarator: (node) => declare(node.id),
    CallExpression: (node) => {
      const { callee } = node;
      if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return;
      const isFromOfQuery = callee.property.name === 'from' && callee.object.type === 'CallExpression';
      if (tableMethods.has(callee.property.name) || isFromOfQuery) useTable(node.arguments[0]);
    },
    TaggedTemplateExpression: (node) => {
      if (node.tag.type !== 'Identifier' || node.tag.name !== 'sql') return;
      for (const part of node.quasi.quasis) {
        for (const match of part.value.raw.matchAll(/\b(?:from|join|into|update|table)\s+"?([a-z_]\w*)/gi)) {
          source.usedTables.push({ table: match[1] ?? '', line: lineAt(part.start + match.index) });
        }
      }
    },
    BinaryExpression: (node) => {
      if (!/^[!=]==?$/.test(node.operator) || isTest(path)) return;
      if (isEngineName(node.left) || isEngineName(node.right)) {
        source.dialectBranches.push({ line: lineAt(node.start) });
      }
    },
    SwitchCase: (node) => {
      if (isEngineName(node.test) && !isTest(path)) source.dialectBranches.push({ line: lineAt(node.start) });
    },
  }).visit(parsed.program);
  return source;
};
