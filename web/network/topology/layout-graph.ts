// The arrangement as the layout engine wants it, and what it answers as positions. Pure.
//
// Each project is laid out by itself and the results are packed: what changes in one project moves nothing inside of
// the others, and need not be computed for them again.
import type { ElkExtendedEdge, ElkNode } from 'elkjs/lib/elk-api.js';
import { groupOf, type Arrangement, type Drawn } from './arrangement.ts';
import type { Link } from './model.ts';

export type Point = { x: number; y: number };
export type Frame = Point & { width: number; height: number };

export type Placement = {
  /** Corners of boxes, by id. */
  boxes: ReadonlyMap<string, Point>;
  /** Of projects, by id. */
  groups: ReadonlyMap<string, Frame>;
  /** Corners of the lines that were routed, by 'source target'. */
  routes: ReadonlyMap<string, readonly Point[]>;
};

const GROUP = { top: 64, side: 22 } as const;
const BETWEEN = { boxes: 36, layers: 56, groups: 56, external: 120 } as const;
/** Width to height of what is packed. */
const ASPECT = 1.7;

/** As many boxes in a row that a group is somewhat wider than high. */
function perRow(drawn: readonly Drawn[]): number {
  const boxes = drawn.filter(({ box }) => box.kind !== 'router');
  if (boxes.length === 0) return 8;
  const sum = (of: (one: Drawn) => number): number => boxes.reduce((total, one) => total + of(one), 0);
  const heights = sum(({ height }) => height + BETWEEN.boxes + BETWEEN.layers);
  const widths = sum(({ width }) => width + BETWEEN.boxes);
  return Math.max(1, Math.round(Math.sqrt((heights * ASPECT * boxes.length) / widths)));
}

/** Routers that lead outside stand on top, where nothing is between them and the outside. */
const nodeOf = ({ box, width, height }: Drawn): ElkNode => ({
  id: box.id,
  width,
  height,
  ...(box.kind === 'router' && box.gateway !== null
    ? { layoutOptions: { 'elk.layered.layering.layerConstraint': 'FIRST' } }
    : {}),
});

/** Several links between the same boxes are one line. */
const routeKey = ({ source, target }: Pick<Link, 'source' | 'target'>): string => `${source} ${target}`;

const groupGraph = (id: string, members: readonly Drawn[], links: readonly Link[]): ElkNode => ({
  id,
  layoutOptions: {
    'elk.algorithm': 'layered',
    'elk.direction': 'DOWN',
    'elk.edgeRouting': 'ORTHOGONAL',
    'elk.padding': `[top=${GROUP.top},left=${GROUP.side},bottom=${GROUP.side},right=${GROUP.side}]`,
    'elk.spacing.nodeNode': String(BETWEEN.boxes),
    'elk.separateConnectedComponents': 'false',
    'elk.layered.spacing.nodeNodeBetweenLayers': String(BETWEEN.layers),
    // Rows of many networks under one router would be wide and flat.
    'elk.layered.layering.strategy': 'COFFMAN_GRAHAM',
    'elk.layered.layering.coffmanGraham.layerBound': String(perRow(members)),
    // What was next to each other stays so when something is added.
    'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
  },
  children: members.map(nodeOf),
  edges: [...new Map(links.map((link) => [routeKey(link), link])).values()].map(
    ({ source, target }): ElkExtendedEdge => ({
      id: routeKey({ source, target }),
      sources: [source],
      targets: [target],
    }),
  ),
});

/** A graph for each project. Lines that leave it, such as to external networks, are not routed but drawn straight. */
export function groupGraphs({ drawn, links }: Arrangement): ElkNode[] {
  const groupOfBox = new Map(drawn.map(({ box }) => [box.id, groupOf(box)]));
  const members = Map.groupBy(drawn, ({ box }) => groupOf(box));
  const inside = Map.groupBy(links, ({ source, target }) => {
    const group = groupOfBox.get(source) ?? null;
    return group === (groupOfBox.get(target) ?? null) ? group : null;
  });
  return [...members].flatMap(([id, boxes]) =>
    id === null ? [] : [groupGraph(id, boxes, inside.get(id) ?? [])],
  );
}

/** Of groups that are laid out, in rows. */
export const packingGraph = (groups: readonly ElkNode[]): ElkNode => ({
  id: 'root',
  layoutOptions: {
    'elk.algorithm': 'rectpacking',
    'elk.aspectRatio': String(ASPECT),
    'elk.spacing.nodeNode': String(BETWEEN.groups),
  },
  children: groups.map(({ id, width = 0, height = 0 }) => ({ id, width, height })),
});

/** External networks stand in a row above the middle of everything else. */
export function placementOf({ drawn }: Arrangement, groups: readonly ElkNode[], packed: ElkNode): Placement {
  const external = drawn.filter(({ box }) => groupOf(box) === null);
  const above = Math.max(0, ...external.map(({ height }) => height + BETWEEN.external));
  const frames = new Map(
    (packed.children ?? []).map(({ id, x = 0, y = 0, width = 0, height = 0 }) => [
      id,
      { x, y: y + above, width, height },
    ]),
  );
  const right = Math.max(0, ...[...frames.values()].map(({ x, width }) => x + width));
  const row = external.reduce((sum, { width }) => sum + width + BETWEEN.groups, -BETWEEN.groups);
  const boxes = new Map<string, Point>();
  let x = (right - row) / 2;
  for (const { box, width, height } of external) {
    boxes.set(box.id, { x, y: above - BETWEEN.external - height });
    x += width + BETWEEN.groups;
  }
  const routes = new Map<string, Point[]>();
  for (const group of groups) {
    const corner = frames.get(group.id) ?? { x: 0, y: 0 };
    const moved = (point: { x?: number; y?: number }): Point => ({
      x: (point.x ?? 0) + corner.x,
      y: (point.y ?? 0) + corner.y,
    });
    for (const child of group.children ?? []) boxes.set(child.id, moved(child));
    for (const { id = '', sections = [] } of group.edges ?? [])
      routes.set(
        id,
        sections.flatMap(({ startPoint, bendPoints = [], endPoint }) =>
          [startPoint, ...bendPoints, endPoint].map(moved),
        ),
      );
  }
  return { boxes, groups: frames, routes };
}
