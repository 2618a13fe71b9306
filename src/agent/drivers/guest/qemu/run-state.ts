// QEMU's run states (qapi/run-state.json) as power states.
import type { GuestPower } from '../driver.ts';
import type { Qmp } from './qmp.ts';

export function powerOf(status: string): GuestPower {
  switch (status) {
    case 'shutdown':
      return 'stopped';
    case 'guest-panicked':
    case 'internal-error':
      return 'crashed';
    case 'paused':
    case 'io-error':
    case 'save-vm':
    case 'restore-vm':
    case 'watchdog':
      return 'paused';
    default:
      return 'running';
  }
}

export async function statusOf(qmp: Qmp): Promise<string> {
  const answer = await qmp.execute('query-status');
  return typeof answer === 'object' && answer !== null && 'status' in answer
    ? String(answer.status)
    : 'unknown';
}
