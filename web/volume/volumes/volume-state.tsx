// The states of volumes, snapshots and backups in words.
import { useText } from '../../kit/language.tsx';
import { StateTag } from '../../kit/state.tsx';
import { volumeText } from './text.ts';

/** What waits for somebody, and not for the cloud, does not turn. */
const STILL: ReadonlySet<string> = new Set(['awaiting-transfer', 'reserved']);

export function useStateName(): (status: string) => string {
  const states: Readonly<Record<string, string>> = useText(volumeText).states;
  return (status) => states[status] ?? status;
}

export function VolumeState({ status }: { status: string }) {
  const name = useStateName();
  return <StateTag state={STILL.has(status) ? 'paused' : status}>{name(status)}</StateTag>;
}
