// The lines between boxes: along the way that the layout found, else in a curve.
import { BaseEdge, getBezierPath, type EdgeProps } from '@xyflow/react';
import { memo } from 'react';
import type { LinkEdge } from './elements.ts';
import type { Point } from './layout-graph.ts';

/** Pixels. */
const CORNER = 8;

/** Straight pieces with rounded corners. */
function routePath(points: readonly Point[]): string {
  return points
    .map((point, at) => {
      const [before, after] = [points[at - 1], points[at + 1]];
      if (before === undefined) return `M${point.x} ${point.y}`;
      if (after === undefined) return `L${point.x} ${point.y}`;
      const towards = (other: Point): Point => {
        const [dx, dy] = [other.x - point.x, other.y - point.y];
        const length = Math.hypot(dx, dy);
        const part = length === 0 ? 0 : Math.min(CORNER, length / 2) / length;
        return { x: point.x + dx * part, y: point.y + dy * part };
      };
      const [a, b] = [towards(before), towards(after)];
      return `L${a.x} ${a.y}Q${point.x} ${point.y} ${b.x} ${b.y}`;
    })
    .join('');
}

const LinkView = memo(function LinkView(props: EdgeProps<LinkEdge>) {
  const { data } = props;
  const route = data?.route ?? null;
  const last = route?.at(-1);
  const [curve, middleX, middleY] = getBezierPath(props);
  return (
    <BaseEdge
      path={route === null ? curve : routePath(route)}
      {...(data?.labelled === true && data.link.label !== ''
        ? {
            label: data.link.label,
            labelX: last?.x ?? middleX,
            labelY: last === undefined ? middleY : last.y - 18,
            labelBgPadding: [4, 2] as [number, number],
          }
        : {})}
    />
  );
});

export const edgeTypes = { link: LinkView };
