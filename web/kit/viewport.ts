// The size of the window, for what must be drawn to measure.
import { useSyncExternalStore } from 'react';

const subscribe = (listener: () => void): (() => void) => {
  addEventListener('resize', listener);
  return () => removeEventListener('resize', listener);
};

const height = (): number => innerHeight;
const width = (): number => innerWidth;

/** Pixels. */
export const useViewport = (): { width: number; height: number } => ({
  width: useSyncExternalStore(subscribe, width),
  height: useSyncExternalStore(subscribe, height),
});
