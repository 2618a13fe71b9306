// A shape for each tone of a state, so that nobody needs its colour. Pure: outlines as SVG paths.
import type { Tone } from '../../kit/tone.ts';

const shapes: Readonly<Record<Tone, (x: number, y: number, r: number) => string>> = {
  // A disc.
  good: (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  // A diamond.
  busy: (x, y, r) => `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}z`,
  // A cross.
  bad: (x, y, r) => {
    const [w, o] = [r * 0.42, r];
    return `M${x - o} ${y - o + w}L${x - o + w} ${y - o}L${x} ${y - w}L${x + o - w} ${y - o}L${x + o} ${y - o + w}L${x + w} ${y}L${x + o} ${y + o - w}L${x + o - w} ${y + o}L${x} ${y + w}L${x - o + w} ${y + o}L${x - o} ${y + o - w}L${x - w} ${y}z`;
  },
  // A triangle.
  warning: (x, y, r) => `M${x} ${y - r}L${x + r} ${y + r * 0.8}L${x - r} ${y + r * 0.8}z`,
  // A bar.
  idle: (x, y, r) => `M${x - r} ${y - r * 0.45}h${2 * r}v${r * 0.9}h${-2 * r}z`,
};

/** Around (x, y), as far as `r` in each direction. */
export const markPath = (tone: Tone, x: number, y: number, r: number): string => shapes[tone](x, y, r);
