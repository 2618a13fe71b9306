// Who may import whom: the one-way flow of ARCHITECTURE.md as a build check.
import type { Import, Source, Violation } from './source.ts';

// The keys are the folders of src. main.ts puts the whole together and is a layer of its own.
const mayImport: Record<string, readonly string[]> = {
  kernel: ['kernel'],
  protocol: ['protocol'],
  control: ['control', 'protocol', 'kernel'],
  agent: ['agent', 'protocol', 'kernel'],
  cli: ['cli', 'control', 'agent', 'protocol', 'kernel'],
  testkit: ['testkit', 'cli', 'control', 'agent', 'protocol', 'kernel'],
  'main.ts': ['cli', 'control', 'agent', 'protocol', 'kernel'],
};

const databaseDrivers = new Set(['better-sqlite3', 'pg']);

/** src/control/network/x.ts -> control; undefined outside src. */
const layerOf = (path: string): string | undefined => {
  const [root, layer] = path.split('/');
  return root === 'src' ? layer : undefined;
};

/** src/control/network/ports/x.ts -> network; undefined for what lies directly in src/control. */
const serviceOf = (path: string): string | undefined => {
  const [root, layer, service, ...rest] = path.split('/');
  return root === 'src' && layer === 'control' && rest.length > 0 ? service : undefined;
};

const layerMessage = (source: Source, target: string): string | undefined => {
  // The console is a client as any other: it knows the public API and nothing of the program.
  if (source.path.startsWith('web/') !== target.startsWith('web/'))
    return `web/ and the rest import nothing of each other; this is ${target}`;
  const from = layerOf(source.path);
  const to = layerOf(target);
  if (from === undefined || to === undefined) return undefined;
  const allowed = mayImport[from];
  if (allowed === undefined) return `src/${from} is not a layer: add it to tools/rules/layers.ts`;
  if (allowed.includes(to)) return undefined;
  if (to === 'testkit' && source.path.endsWith('.test.ts')) return undefined;
  return `${from} may import only ${allowed.join(', ')}; this is ${target}`;
};

const checkImport = (source: Source, { target, relative, line }: Import): Violation[] => {
  const at = { file: source.path, line };
  if (!relative) {
    if (!databaseDrivers.has(target) || source.path.startsWith('src/kernel/db/')) return [];
    return [{ ...at, rule: 'db-driver', message: `only src/kernel/db may import ${target}` }];
  }
  const violations: Violation[] = [];
  const message = layerMessage(source, target);
  if (message !== undefined) violations.push({ ...at, rule: 'layers', message });
  const service = serviceOf(target);
  const inControl = layerOf(source.path) === 'control';
  if (inControl && service !== undefined && service !== serviceOf(source.path)) {
    const index = `src/control/${service}/index.ts`;
    if (target !== index) {
      violations.push({ ...at, rule: 'service-index', message: `import ${service} through ${index}` });
    }
  }
  return violations;
};

export const checkLayers = (sources: readonly Source[]): Violation[] =>
  sources.flatMap((source) => [
    ...source.imports.flatMap((found) => checkImport(source, found)),
    ...(source.path.startsWith('src/kernel/db/') ? [] : source.dialectBranches).map(({ line }) => ({
      file: source.path,
      line,
      rule: 'dialect',
      message: 'only src/kernel/db may tell database engines apart',
    })),
  ]);

/**
 * Every import that closes a circle, with that circle spelt out. Type-only imports do not count: they are gone at run
 * time.
 */
export const checkCycles = (sources: readonly Source[]): Violation[] => {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const edges = (path: string): Import[] =>
    (byPath.get(path)?.imports ?? []).filter(
      ({ target, relative, typeOnly }) => relative && !typeOnly && byPath.has(target),
    );

  const finished = new Set<string>();
  const violations: Violation[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    for (const { target, line } of edges(path)) {
      const start = trail.indexOf(target);
      if (start !== -1) {
        const circle = [...trail.slice(start), target].join(' -> ');
        violations.push({ file: path, line, rule: 'cycle', message: `import cycle: ${circle}` });
      } else if (!finished.has(target)) visit(target, [...trail, target]);
    }
    finished.add(path);
  };
  for (const { path } of sources) if (!finished.has(path)) visit(path, [path]);
  return violations;
};
