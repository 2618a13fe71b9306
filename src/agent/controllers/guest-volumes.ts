// The meeting of guests and volumes: a volume is held for a guest before the guest may open it, and given back only
// after the guest has closed it. Used by the server controller and, when a volume changes under a guest, by its own.
import type { Clock } from '../../kernel/clock.ts';
import type { ServerBody, ServerVolume } from '../../protocol/items.ts';
import { DriverError } from '../drivers/errors.ts';
import type { GuestDriver, GuestSpec, GuestVolume, VolumeOutcome } from '../drivers/guest/driver.ts';
import { guestUid } from '../drivers/guest/guest-user.ts';
import type { VolumeDriver } from '../drivers/volume/driver.ts';

export type GuestVolumes = {
  /** Holds the volumes of a guest. Those that cannot be had are in `failed` with the reason; a guest without its boot volume throws. */
  hold(
    serverId: string,
    wanted: readonly ServerVolume[],
  ): Promise<{ folder: string | null; volumes: GuestVolume[]; failed: VolumeOutcome[] }>;
  /** Makes the guest's volumes those of the spec, and gives back what it let go of. `running`: the guest has a process. */
  sync(
    driver: GuestDriver,
    spec: GuestSpec,
    failed: readonly VolumeOutcome[],
    running: boolean,
  ): Promise<VolumeOutcome[]>;
  /** Gives everything back: the guest is gone. */
  gone(serverId: string): Promise<void>;
};

const reason = (error: unknown): string =>
  error instanceof DriverError ? error.message : 'the host could not attach it; it will try again';

export function guestVolumes(volumes: VolumeDriver | null): GuestVolumes {
  const none = (): never => {
    throw new DriverError('unavailable', 'This host keeps no volumes.');
  };
  return {
    async hold(serverId, wanted) {
      const folder = (await volumes?.prepare(serverId, guestUid(serverId))) ?? null;
      const held: GuestVolume[] = [];
      const failed: VolumeOutcome[] = [];
      for (const { volumeId, device, boot, readOnly, limits = {} } of wanted) {
        try {
          const got = await (volumes ?? none()).hold(volumeId, serverId, guestUid(serverId), readOnly);
          held.push({ ...got, volumeId, device, boot, limits });
        } catch (error) {
          if (boot) throw error;
          failed.push({ id: volumeId, attached: false, error: reason(error) });
        }
      }
      return { folder, volumes: held, failed };
    },
    async sync(driver, spec, failed, running) {
      const before = volumes === null ? [] : await volumes.heldBy(spec.id);
      if (before.length === 0 && spec.volumes.length === 0) return [...failed];
      if (!running) await driver.closeVolumes?.(spec.id);
      const outcomes = running
        ? await (driver.syncVolumes?.(spec) ??
            spec.volumes.map((one) => ({
              id: one.volumeId,
              attached: false,
              error: 'the guest cannot use volumes',
            })))
        : spec.volumes.map((one) => ({ id: one.volumeId, attached: true, error: null }));
      const has = new Set(outcomes.flatMap((one) => (one.attached ? [one.id] : [])));
      for (const one of spec.volumes) {
        const [top] = one.layers;
        if (
          running &&
          top !== undefined &&
          outcomes.some((outcome) => outcome.id === one.volumeId && outcome.error === null)
        )
          await volumes?.settled(one.volumeId, spec.id, top.id);
      }
      const wanted = new Set(spec.body.volumes.map((one) => one.volumeId));
      for (const id of before) if (!wanted.has(id) && !has.has(id)) await volumes?.release(id, spec.id);
      return [...outcomes, ...failed];
    },
    async gone(serverId) {
      if (volumes === null) return;
      for (const id of await volumes.heldBy(serverId)) await volumes.release(id, serverId);
      await volumes.forget(serverId);
    },
  };
}

/** Calls back until what a guest does not take or let go of yet is settled. */
export function createRetries(clock: Clock): {
  later(id: string, changed: (id: string) => void): void;
  stop(): void;
} {
  const timers = new Map<string, () => void>();
  return {
    later(id, changed) {
      if (timers.has(id)) return;
      timers.set(
        id,
        clock.timer(2_000, () => {
          timers.delete(id);
          changed(id);
        }),
      );
    },
    stop() {
      for (const cancel of timers.values()) cancel();
      timers.clear();
    },
  };
}

export const volumeIdsOf = (body: Pick<ServerBody, 'volumes'>): string[] =>
  body.volumes.map((one) => one.volumeId);
