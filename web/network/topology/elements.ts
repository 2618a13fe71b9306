// The nodes and edges that the canvas draws, of an arrangement that has its places. Pure.
import type { Edge, Node, NodeHandle, Position } from '@xyflow/react';
import { afarOf, type Afar } from './afar.ts';
import { groupOf, tileAt, TILE, type Arrangement, type Drawn } from './arrangement.ts';
import type { Choice } from './choice.ts';
import type { Frame, Placement, Point } from './layout-graph.ts';
import type { Link, ServerItem } from './model.ts';

export type BoxNode = Node<{ drawn: Drawn }, 'box'>;
/** The frame of a project. */
export type ProjectNode = Node<{ name: string }, 'project'>;
/** A project from afar, with everything in it. `name` is null where there are no other projects. */
export type AfarNode = Node<
  { name: string | null; frame: Frame; afar: Afar; servers: readonly ServerItem[] },
  'afar'
>;
export type TopologyNode = BoxNode | ProjectNode | AfarNode;
export type LinkEdge = Edge<{ link: Link; route: readonly Point[] | null; labelled: boolean }, 'link'>;

/** More lines than these are pale until something at their end is chosen, and carry no addresses. */
const MANY_LINKS = 60;
const MANY_GATEWAYS = 14;

const handlesOf = (width: number, height: number): NodeHandle[] => [
  { type: 'target', position: 'top' as Position, x: width / 2, y: 0, width: 1, height: 1 },
  { type: 'source', position: 'bottom' as Position, x: width / 2, y: height, width: 1, height: 1 },
];

const boxNode = (drawn: Drawn, position: Point): BoxNode => ({
  id: drawn.box.id,
  type: 'box',
  position,
  data: { drawn },
  width: drawn.width,
  height: drawn.height,
  handles: handlesOf(drawn.width, drawn.height),
});

/** `nameOf`: of projects; null: they have no frames. */
export function nodesOf(
  { drawn }: Arrangement,
  placement: Placement,
  nameOf: ((projectId: string) => string) | null,
): TopologyNode[] {
  const boxes = drawn.flatMap((one): BoxNode[] => {
    const position = placement.boxes.get(one.box.id);
    return position === undefined ? [] : [boxNode(one, position)];
  });
  if (nameOf === null) return boxes;
  const frames = [...placement.groups].map(([id, { x, y, width, height }]): ProjectNode => ({
    id: `project ${id}`,
    type: 'project',
    position: { x, y },
    data: { name: nameOf(id) },
    width,
    height,
    zIndex: -1,
    handles: [],
  }));
  return [...frames, ...boxes];
}

/** One node for each project, beside the external networks. */
export function nodesAfar(
  { drawn }: Arrangement,
  placement: Placement,
  nameOf: ((projectId: string) => string) | null,
): TopologyNode[] {
  const members = Map.groupBy(drawn, ({ box }) => groupOf(box));
  const external = (members.get(null) ?? []).flatMap((one): BoxNode[] => {
    const position = placement.boxes.get(one.box.id);
    return position === undefined ? [] : [boxNode(one, position)];
  });
  const projects = [...placement.groups].map(([id, frame]): AfarNode => {
    const inside = members.get(id) ?? [];
    const placed = inside.flatMap((one) => {
      const at = placement.boxes.get(one.box.id);
      return at === undefined ? [] : [{ drawn: one, at: { x: at.x - frame.x, y: at.y - frame.y } }];
    });
    return {
      id: `afar ${id}`,
      type: 'afar',
      position: { x: frame.x, y: frame.y },
      data: {
        name: nameOf === null ? null : nameOf(id),
        frame,
        afar: afarOf(placed),
        servers: inside.flatMap(({ box }) => (box.kind === 'router' ? [] : box.servers)),
      },
      width: frame.width,
      height: frame.height,
      handles: [],
    };
  });
  return [...projects, ...external];
}

export function edgesOf({ links }: Arrangement, placement: Placement, chosen: Choice | null): LinkEdge[] {
  const gateways = links.filter(({ kind }) => kind === 'gateway').length;
  return links.map((link): LinkEdge => {
    const touched =
      chosen !== null &&
      (chosen.serverId === undefined
        ? link.source === chosen.boxId || link.target === chosen.boxId
        : link.serverId === chosen.serverId);
    const many = link.kind === 'gateway' ? gateways > MANY_GATEWAYS : links.length > MANY_LINKS;
    const classes = [link.kind, link.tone === 'bad' && 'broken', many && 'many', touched && 'chosen'];
    return {
      id: link.id,
      type: 'link',
      source: link.source,
      target: link.target,
      className: classes.filter((name) => name !== false).join(' '),
      data: {
        link,
        route: placement.routes.get(`${link.source} ${link.target}`) ?? null,
        labelled: !many || touched,
      },
    };
  });
}

/** The middle of a box, or of the server in it; null: it has no place. */
export function centreOf(drawn: Drawn, placement: Placement, serverId: string | undefined): Point | null {
  const corner = placement.boxes.get(drawn.box.id);
  if (corner === undefined) return null;
  const index =
    drawn.collapsed || drawn.box.kind === 'router'
      ? -1
      : drawn.box.servers.findIndex(({ id }) => id === serverId);
  if (index === -1) return { x: corner.x + drawn.width / 2, y: corner.y + Math.min(drawn.height, 400) / 2 };
  const { x, y } = tileAt(drawn, index);
  return { x: corner.x + x + TILE.width / 2, y: corner.y + y + TILE.height / 2 };
}

/** Around everything. */
export function boundsOf({ drawn }: Arrangement, placement: Placement): Frame {
  const frames = [
    ...placement.groups.values(),
    ...drawn.flatMap(({ box, width, height }) => {
      const corner = placement.boxes.get(box.id);
      return corner === undefined ? [] : [{ ...corner, width, height }];
    }),
  ];
  const x = Math.min(...frames.map((frame) => frame.x));
  const y = Math.min(...frames.map((frame) => frame.y));
  return {
    x,
    y,
    width: Math.max(...frames.map((frame) => frame.x + frame.width)) - x,
    height: Math.max(...frames.map((frame) => frame.y + frame.height)) - y,
  };
}

/**
 * How far a new layout moved what its user looks at: `preferred`, or else the box that was nearest to the middle of the
 * window. null: nothing of it is left.
 */
export function shiftBetween(
  before: Placement,
  after: Placement,
  middle: Point,
  preferred: string | null,
): Point | null {
  const moved = (id: string): Point | null => {
    const [old, now] = [before.boxes.get(id), after.boxes.get(id)];
    return old === undefined || now === undefined ? null : { x: now.x - old.x, y: now.y - old.y };
  };
  if (preferred !== null && after.boxes.has(preferred)) return moved(preferred);
  let nearest: { id: string; distance: number } | null = null;
  for (const [id, { x, y }] of before.boxes) {
    const distance = Math.hypot(x - middle.x, y - middle.y);
    if (after.boxes.has(id) && (nearest === null || distance < nearest.distance)) nearest = { id, distance };
  }
  return nearest === null ? null : moved(nearest.id);
}
