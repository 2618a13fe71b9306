// What is left of a project from afar: the outlines of its boxes, a mark for each server, a number for a collapsed
// network; as few paths as can be, since a hundred projects are in sight then. Pure.
import type { Tone } from '../../kit/tone.ts';
import { TILE, tileAt, type Drawn } from './arrangement.ts';
import type { Point } from './layout-graph.ts';
import { markPath } from './marks.ts';
import { countTones } from './model.ts';

/** `at`: the corner of the box, from the corner of its project. */
export type Placed = { drawn: Drawn; at: Point };

export type Afar = {
  /** SVG paths. */
  boxes: string;
  routers: string;
  marks: ReadonlyMap<Tone, string>;
  /** How many servers a collapsed network has. */
  numbers: readonly { key: string; at: Point; count: number }[];
};

/** Pixels. */
const MARK = 19;
const BIG_MARK = 26;
const NUMBER_SIZE = 60;

const rectangle = ({ at, drawn: { width, height } }: Placed): string =>
  `M${at.x} ${at.y}h${width}v${height}h${-width}z`;

export function afarOf(members: readonly Placed[]): Afar {
  const marks = new Map<Tone, string>();
  const mark = (tone: Tone, x: number, y: number, size: number): void => {
    marks.set(tone, (marks.get(tone) ?? '') + markPath(tone, x, y, size));
  };
  const numbers: { key: string; at: Point; count: number }[] = [];
  for (const { drawn, at } of members) {
    const { box, collapsed, height } = drawn;
    if (box.kind === 'router') {
      if (box.tone !== 'good') mark(box.tone, at.x + drawn.width / 2, at.y + height / 2, BIG_MARK);
    } else if (collapsed) {
      const [worst] = countTones(box.servers);
      if (worst !== undefined) mark(worst.tone, at.x + 50, at.y + height / 2, BIG_MARK);
      numbers.push({
        key: box.id,
        at: { x: at.x + 92, y: at.y + height / 2 + NUMBER_SIZE / 3 },
        count: box.servers.length,
      });
    } else
      for (const [index, { tone }] of box.servers.entries()) {
        const { x, y } = tileAt(drawn, index);
        mark(tone, at.x + x + TILE.width / 2, at.y + y + TILE.height / 2, MARK);
      }
  }
  const ofKind = (router: boolean): string =>
    members
      .filter(({ drawn }) => (drawn.box.kind === 'router') === router)
      .map(rectangle)
      .join('');
  return { boxes: ofKind(false), routers: ofKind(true), marks, numbers };
}
