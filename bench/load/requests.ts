// How many requests a second a process answers: in a second of time, and in a second of its CPU.
import autocannon from 'autocannon';
import { cpuSeconds, median, rate } from '../figure.ts';

export type Rates = {
  /** Requests in a second of the server's CPU time: what one core does. */
  core: number[];
  /** Requests in a second of time, next to whatever else runs on the machine. */
  wall: number[];
};

export const noRates = (): Rates => ({ core: [], wall: [] });

export async function addRate(
  rates: Rates,
  pid: number,
  url: string,
  headers: Record<string, string>,
  seconds = 4,
): Promise<void> {
  const before = cpuSeconds(pid);
  const result = await autocannon({ url, headers, connections: 16, duration: seconds });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} refused, ${result.errors} failed`);
  rates.core.push(result.requests.total / (cpuSeconds(pid) - before));
  rates.wall.push(result.requests.total / result.duration);
}

export const wallOf = (rates: Rates): string => `by the clock ${rate(median(rates.wall))}`;
