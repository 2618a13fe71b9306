// Network interfaces of a guest: on its command line, and plugged and unplugged while it runs. The truth is what QEMU
// has: the name of each interface tells its slot and its port.
import { sleep, type Clock } from '../../../../kernel/clock.ts';
import { DriverError } from '../../errors.ts';
import type { GuestSpec, PluggedPort, PortsOutcome } from '../driver.ts';
import type { Hardware } from './command-line.ts';
import type { Qmp } from './qmp.ts';
import { freeSlots } from './volumes.ts';

export type Tap = Hardware['taps'][number];
type Nic = { device: string; slot: number; mac: string; netdev: string; portId: string | null };

/** How long a guest may take to let go of an interface before it is asked again later. */
const unplugMs = 8_000;
const unplugEveryMs = 1_000;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const detailOf = (error: unknown): string =>
  error instanceof DriverError ? `${error.message} ${error.detail}` : String(error);

const drivers = { virtio: 'virtio-net-pci', e1000: 'e1000', e1000e: 'e1000e' } as const;

/** `firstSlot`: of those that have none by name, which guests of older versions have. */
const slotOf = (tap: Tap, at: number, firstSlot: number): number => tap.slot ?? firstSlot + at;
const netdevOf = (tap: Tap, at: number): string =>
  tap.portId === undefined ? `net${at}` : `net-${tap.portId}`;
const deviceOf = (tap: Tap, at: number, slot: number): string =>
  tap.portId === undefined ? `nic${at}` : `nic${slot}-${tap.portId}`;

const deviceFields = (
  model: Hardware['vifModel'],
  tap: Tap,
  at: number,
  slot: number,
): Record<string, unknown> => ({
  driver: drivers[model],
  id: deviceOf(tap, at, slot),
  netdev: netdevOf(tap, at),
  mac: tap.mac,
  romfile: '', // no network boot; and the ROMs may not be installed
  ...(model === 'virtio' ? { host_mtu: tap.mtu } : {}),
});

export function nicArguments(hardware: Hardware, firstSlot: number): string[] {
  return hardware.taps.flatMap((tap, at) => {
    const slot = slotOf(tap, at, firstSlot);
    return [
      ...['-netdev', `tap,id=${netdevOf(tap, at)},ifname=${tap.device},script=no,downscript=no`],
      '-device',
      JSON.stringify({
        ...deviceFields(hardware.vifModel, tap, at, slot),
        ...(hardware.vifModel === 'e1000' ? {} : { bus: `slot${slot}` }),
      }),
    ];
  });
}

const property = async (qmp: Qmp, device: string, name: string): Promise<string> =>
  String(await qmp.execute('qom-get', { path: `/machine/peripheral/${device}`, property: name }));

/** The interfaces that QEMU has. */
async function nicsOf(qmp: Qmp, firstSlot: number): Promise<Nic[]> {
  const answer = await qmp.execute('qom-list', { path: '/machine/peripheral' });
  const found: Nic[] = [];
  for (const entry of Array.isArray(answer) ? answer.filter(isRecord) : []) {
    const device = String(entry['name']);
    const [, number, portId] = /^nic(\d+)(?:-(.+))?$/.exec(device) ?? [];
    if (number === undefined) continue;
    try {
      found.push({
        device,
        slot: Number(number) + (portId === undefined ? firstSlot : 0),
        mac: (await property(qmp, device, 'mac')).toLowerCase(),
        netdev: await property(qmp, device, 'netdev'),
        portId: portId ?? null,
      });
    } catch (error) {
      if (qmp.closed) throw error;
      // the guest has let go of it since
    }
  }
  return found;
}

/** The taps as they are plugged now: what a saved memory fits. */
export async function tapsNow(qmp: Qmp, before: readonly Tap[], firstSlot: number): Promise<Tap[]> {
  const nics = (await nicsOf(qmp, firstSlot)).toSorted((a, b) => a.slot - b.slot);
  return nics.map((nic) => {
    const known = before.find((tap) => (tap.portId ?? tap.mac) === (nic.portId ?? nic.mac));
    return {
      device: known?.device ?? '',
      mac: nic.mac,
      mtu: known?.mtu ?? 1500,
      ...(nic.portId === null ? {} : { portId: nic.portId }),
      slot: nic.slot,
    };
  });
}

async function plug(qmp: Qmp, model: Hardware['vifModel'], tap: Tap): Promise<void> {
  const netdev = netdevOf(tap, 0);
  // What a crash or a guest that let go late has left of an earlier time; no interface has it.
  await qmp.execute('netdev_del', { id: netdev }).catch(() => {});
  await qmp.execute('netdev_add', {
    type: 'tap',
    id: netdev,
    ifname: tap.device,
    script: 'no',
    downscript: 'no',
  });
  let last = 'no slot';
  // The lowest slots first: volumes take the last.
  for (const slot of (await freeSlots(qmp)).toReversed()) {
    try {
      const number = Number(slot.slice(4));
      await qmp.execute('device_add', { ...deviceFields(model, tap, 0, number), bus: slot, addr: '0x0' });
      return;
    } catch (error) {
      last = detailOf(error);
      if (!/in use|not available|occupied|hotplug/i.test(last)) break;
    }
  }
  await qmp.execute('netdev_del', { id: netdev }).catch(() => {});
  throw new DriverError(
    'failed',
    'the guest has no free slot for another interface, or does not take it; it has it from its next start on',
    last,
  );
}

/** True: the guest has let go of it. Either way its connection to the port is cut when this returns. */
async function unplug(qmp: Qmp, clock: Clock, nic: Nic, firstSlot: number): Promise<boolean> {
  const deadline = clock.now() + unplugMs;
  let gone = false;
  while (!gone && !qmp.closed && clock.now() < deadline) {
    const deleted = qmp.waitFor(
      ({ event, data }) => event === 'DEVICE_DELETED' && data['device'] === nic.device,
      unplugEveryMs,
    );
    // Refused while the guest thinks about the last request; lost when it had not booted far enough to hear it.
    await qmp.execute('device_del', { id: nic.device }).catch(() => {});
    await deleted;
    gone = !(await nicsOf(qmp, firstSlot)).some((one) => one.device === nic.device);
  }
  if (nic.netdev !== '') await cut(qmp, clock, nic.netdev);
  return gone;
}

/** The device may still hold it for a moment after it said that it is gone. */
async function cut(qmp: Qmp, clock: Clock, netdev: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await qmp.execute('netdev_del', { id: netdev });
      return;
    } catch (error) {
      if (qmp.closed || /not found/i.test(detailOf(error))) return;
      if (tries === 20) throw error;
      await sleep(clock, 10);
    }
  }
}

/** `hardware`: of this run. `taps`: what to remember of it now. */
export async function syncNics(
  qmp: Qmp,
  clock: Clock,
  spec: GuestSpec,
  hardware: Hardware,
  firstSlot: number,
): Promise<PortsOutcome & { taps: Tap[] }> {
  const outcome: PortsOutcome = { failed: [], again: false };
  const there = await nicsOf(qmp, firstSlot);
  const isOf = (nic: Nic, port: PluggedPort): boolean =>
    nic.portId === null ? nic.mac === port.mac : nic.portId === port.portId;
  for (const nic of there)
    if (!spec.ports.some((port) => isOf(nic, port)) && !(await unplug(qmp, clock, nic, firstSlot)))
      outcome.again = true;
  const wanted: Tap[] = [];
  for (const port of spec.ports) {
    if (port.plug !== 'tap') continue;
    const tap = { portId: port.portId, device: port.device, mac: port.mac, mtu: port.mtu };
    wanted.push(tap);
    // Without a connection: it came back before the guest had let go of what it was.
    const had = there.find((nic) => isOf(nic, port));
    if (had !== undefined && had.netdev !== '') continue;
    try {
      if (had === undefined || (await unplug(qmp, clock, had, firstSlot)))
        await plug(qmp, hardware.vifModel, tap);
      else outcome.again = true;
    } catch (error) {
      if (qmp.closed || !(error instanceof DriverError)) throw error;
      outcome.failed.push({ id: port.portId, error: `Port ${port.portId}: ${error.message}.` });
    }
  }
  return { ...outcome, taps: await tapsNow(qmp, [...wanted, ...hardware.taps], firstSlot) };
}
