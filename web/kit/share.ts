// What part of a limit is in use, and from when on that is worth a colour.
import type { Tone } from './state.tsx';

export const NEARLY = 0.8;

/** 0 where there is no limit; a limit of 0 is used up by anything. */
export const shareOf = (used: number, limit: number): number =>
  limit < 0 || used <= 0 ? 0 : limit === 0 ? 1 : used / limit;

export const toneOfShare = (share: number): Tone =>
  share >= 1 ? 'bad' : share >= NEARLY ? 'warning' : 'busy';
