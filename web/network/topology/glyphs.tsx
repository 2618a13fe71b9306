// The small drawings of the topology: what something is, and in which state.
import type { Tone } from '../../kit/tone.ts';
import { markPath } from './marks.ts';

const outlines = {
  vm: 'M2 3h12v8H2zM6 14h4M8 11v3',
  container: 'M8 1.5l6 3v7l-6 3l-6-3v-7zM2 4.5l6 3l6-3M8 7.5v7',
  network: 'M8 2v4M3 10v-2h10v2M8 6v2M1.5 10h3v3h-3zM6.5 10h3v3h-3zM11.5 10h3v3h-3z',
  external: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13M1.5 8h13M8 1.5c-4 4-4 9 0 13c4-4 4-9 0-13',
  router: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13M4 6h7M9 4l2 2l-2 2M12 10H5M7 8l-2 2l2 2',
  loose: 'M2 3h12v8H2zM6 14h4M3 2l10 12',
  floating: 'M8 1.5c-3 0-5 2-5 4.7c0 3.5 5 8.3 5 8.3s5-4.8 5-8.3c0-2.7-2-4.7-5-4.7M8 4.5v4M6 6.5h4',
} as const;

export type Kind = keyof typeof outlines;

/** Decoration: what it shows is said beside it. */
export function Glyph({ kind }: { kind: Kind }) {
  return (
    <svg className="topology-glyph" viewBox="0 0 16 16" width={16} height={16} aria-hidden>
      <path d={outlines[kind]} />
    </svg>
  );
}

/** `size` in pixels. */
export function Mark({ tone, size = 12 }: { tone: Tone; size?: number }) {
  return (
    <svg
      className="topology-mark"
      data-tone={tone}
      viewBox="0 0 12 12"
      width={size}
      height={size}
      aria-hidden
    >
      <path d={markPath(tone, 6, 6, 5)} />
    </svg>
  );
}
