// How boxes are drawn: which of them are collapsed, how large each is, where in it a server stands; and what of all
// that decides the layout. Pure.
import type { Box, Link, ServerItem, Topology } from './model.ts';

/** Pixels at zoom 1. */
export const TILE = { width: 240, height: 48, gap: 8 } as const;
const BOX = { header: 58, padding: 12, collapsedWidth: 264, collapsedHeight: 112 } as const;
const ROUTER = { width: 264, height: 62 } as const;
const CHIP = { width: 172, height: 26, gap: 6, perRow: 3 } as const;
/** Free floating IPs that an external network shows one by one. */
export const MAX_CHIPS = 12;
/** Width to height of what is packed. */
const ASPECT = 1.7;

export type Drawn = {
  box: Box;
  collapsed: boolean;
  width: number;
  height: number;
  /** Of the rows in which its servers stand. */
  columns: number;
};

export type Arrangement = { drawn: readonly Drawn[]; links: readonly Link[] };

const serversOf = (box: Box): readonly ServerItem[] => (box.kind === 'router' ? [] : box.servers);

/** Networks with so many servers are never collapsed, and with more than these always. */
const ALWAYS_OPEN = 6;
const ALWAYS_COLLAPSED = 100;

/**
 * Networks with more servers are drawn collapsed. The largest give way until what is left has no more than `budget`
 * servers: as many as a browser draws with ease.
 */
export function collapseAbove(topology: Topology, budget = 1500): number {
  const sizes = topology.boxes.map((box) => serversOf(box).length);
  const steps = [...new Set(sizes)].filter((size) => size < ALWAYS_COLLAPSED).toSorted((a, b) => b - a);
  return (
    [ALWAYS_COLLAPSED, ...steps].find(
      (limit) =>
        limit <= ALWAYS_OPEN || sizes.reduce((sum, size) => sum + (size > limit ? 0 : size), 0) <= budget,
    ) ?? ALWAYS_OPEN
  );
}

/** `chosen`: what the user opened (true) or closed (false). */
export const isCollapsed = (box: Box, above: number, chosen: ReadonlyMap<string, boolean>): boolean => {
  const count = serversOf(box).length;
  if (count === 0) return false;
  const open = chosen.get(box.id);
  return open === undefined ? count > above : !open;
};

/** What is looked for in a larger network is shown by the collapsed box. */
const OPENED_FOR_SEARCH = 500;

/** Whether a box is opened to show a server that was looked for. */
export const opensFor = (box: Box, serverId: string | undefined): boolean =>
  serverId !== undefined && serversOf(box).length <= OPENED_FOR_SEARCH;

const columnsFor = (count: number): number =>
  Math.max(1, Math.ceil(Math.sqrt((count * (TILE.height + TILE.gap) * ASPECT) / (TILE.width + TILE.gap))));

const chipsOf = (box: Box): number =>
  box.kind === 'network' ? Math.min(box.floatingIps.length, MAX_CHIPS + 1) : 0;

/** Pixels that the free floating IPs of a box take below its header. */
const chipsHeight = (box: Box): number => {
  const rows = Math.ceil(chipsOf(box) / CHIP.perRow);
  return rows === 0 ? 0 : rows * (CHIP.height + CHIP.gap) + 4;
};

function drawnOf(box: Box, collapsed: boolean): Drawn {
  if (box.kind === 'router') return { box, collapsed: false, ...ROUTER, columns: 0 };
  const chips = chipsHeight(box);
  const widest = chips === 0 ? BOX.collapsedWidth : CHIP.perRow * (CHIP.width + CHIP.gap) + 2 * BOX.padding;
  const count = box.servers.length;
  if (collapsed || count === 0)
    return {
      box,
      collapsed,
      width: widest,
      height: (count === 0 ? BOX.header + BOX.padding : BOX.collapsedHeight) + chips,
      columns: 0,
    };
  const columns = columnsFor(count);
  const rows = Math.ceil(count / columns);
  return {
    box,
    collapsed: false,
    width: Math.max(widest, columns * (TILE.width + TILE.gap) - TILE.gap + 2 * BOX.padding),
    height: BOX.header + chips + rows * (TILE.height + TILE.gap) - TILE.gap + BOX.padding,
    columns,
  };
}

export function arrange(topology: Topology, chosen: ReadonlyMap<string, boolean>): Arrangement {
  const above = collapseAbove(topology);
  return {
    drawn: topology.boxes.map((box) => drawnOf(box, isCollapsed(box, above, chosen))),
    links: topology.links,
  };
}

/** Where in its box the server at `index` stands, in pixels from the box's corner. */
export const tileAt = (drawn: Drawn, index: number): { x: number; y: number } => ({
  x: BOX.padding + (index % drawn.columns) * (TILE.width + TILE.gap),
  y: BOX.header + chipsHeight(drawn.box) + Math.floor(index / drawn.columns) * (TILE.height + TILE.gap),
});

/** Boxes are framed by project; external networks stand above all of them. */
export const groupOf = (box: Box): string | null =>
  box.kind === 'network' && box.external ? null : box.projectId;

/** The same for two arrangements that need no other layout: states, names and addresses are not in it. */
export const structureOf = ({ drawn, links }: Arrangement): string =>
  JSON.stringify([
    drawn.map(({ box, width, height }) => [box.id, groupOf(box), width, height]),
    [...new Set(links.map(({ source, target }) => `${source} ${target}`))],
  ]);
