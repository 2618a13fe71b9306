// Periods that usage is asked for. Days are the user's, the API speaks UTC.

export type PeriodName = 'today' | 'week' | 'month' | 'lastMonth' | 'custom';
export const periodNames: readonly PeriodName[] = ['today', 'week', 'month', 'lastMonth', 'custom'];

/** Local days, YYYY-MM-DD, both included. */
export type Days = { from: string; to: string };

const dayOf = (at: Date): string =>
  `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')}`;

export function daysOf(name: Exclude<PeriodName, 'custom'>, now: Date): Days {
  const [year, month, day] = [now.getFullYear(), now.getMonth(), now.getDate()];
  const to = dayOf(now);
  if (name === 'today') return { from: to, to };
  if (name === 'week') return { from: dayOf(new Date(year, month, day - 6)), to };
  if (name === 'month') return { from: dayOf(new Date(year, month, 1)), to };
  return { from: dayOf(new Date(year, month - 1, 1)), to: dayOf(new Date(year, month, 0)) };
}

/** As the API takes times: UTC without saying so. null: the days are no period. */
export function asked({ from, to }: Days): { start: string; end: string } | null {
  const start = new Date(`${from}T00:00:00`);
  const end = new Date(`${to}T00:00:00`);
  end.setDate(end.getDate() + 1);
  if (Number.isNaN(start.getTime()) || Number.isNaN(end.getTime()) || start >= end) return null;
  const utc = (at: Date): string => at.toISOString().slice(0, 19);
  return { start: utc(start), end: utc(end) };
}
