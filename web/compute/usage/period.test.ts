// Periods, and what is asked for them.
import { expect, it } from 'vitest';
import { asked, daysOf } from './period.ts';

it('periods end with today, the last month with its last day', () => {
  const now = new Date(2026, 2, 3, 15, 0);
  expect(daysOf('today', now)).toEqual({ from: '2026-03-03', to: '2026-03-03' });
  expect(daysOf('week', now)).toEqual({ from: '2026-02-25', to: '2026-03-03' });
  expect(daysOf('month', now)).toEqual({ from: '2026-03-01', to: '2026-03-03' });
  expect(daysOf('lastMonth', now)).toEqual({ from: '2026-02-01', to: '2026-02-28' });
});

it('asks for whole days of the user, and for nothing where the days are no period', () => {
  const days = asked({ from: '2026-03-01', to: '2026-03-01' });
  const hours = (Date.parse(`${days?.end}Z`) - Date.parse(`${days?.start}Z`)) / 3_600_000;
  expect(hours).toBe(24);
  expect(asked({ from: '2026-03-02', to: '2026-03-01' })).toBeNull();
  expect(asked({ from: '', to: '2026-03-01' })).toBeNull();
});
