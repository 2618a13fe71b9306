// The link between a simulated agent and control: in one process as in `up`, but whatever a network does to
// messages can happen to it.
import type { Link } from '../protocol/link.ts';
import type { Boundary } from './boundary.ts';
import type { Faults } from './faults.ts';
import type { SimHost } from './sim-host.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Control's end, as long as its process lives. */
export type ControlEnd = { link: Link; killed: Promise<void> };

export function simLink(parts: {
  host: SimHost;
  boundary: Boundary;
  faults: Faults;
  clock: VirtualClock;
  control(): ControlEnd | null;
}): Link {
  const { host, boundary, faults, clock } = parts;

  const call = <T>(verb: string, work: (link: Link) => Promise<T>): Promise<T> =>
    boundary.around(`${host.hostname} link ${verb}`, async () => {
      const to = parts.control();
      if (to === null || host.silent) throw new Error('control is away');
      const fault = faults.link();
      if (fault === 'request-lost') throw new Error('the request was lost');
      const result = await Promise.race([
        work(to.link),
        to.killed.then(() => Promise.reject(new Error('control went away'))),
      ]);
      if (fault === 'answer-lost') throw new Error('the answer was lost');
      return result;
    });

  return {
    register: (facts, queries) => call('register', (link) => link.register(facts, queries)),
    pull: (hostId, since) => call('pull', (link) => link.pull(hostId, since)),
    report(hostId, reports, sequence) {
      const later = faults.repeated();
      if (later !== null)
        clock.timer(
          later,
          () =>
            void (host.silent
              ? null
              : parts
                  .control()
                  ?.link.report(hostId, reports, sequence)
                  .catch(() => {})),
        );
      return call('report', (link) => link.report(hostId, reports, sequence));
    },
    heartbeat: (hostId) => call('heartbeat', (link) => link.heartbeat(hostId)),
    guestPassword: (hostId, serverId, sealed) =>
      call('guestPassword', (link) => link.guestPassword(hostId, serverId, sealed)),
    image: (imageId) => call('image', (link) => link.image(imageId)),
    onWake: (hostId, wake) =>
      parts.control()?.link.onWake(hostId, () => {
        if (boundary.alive() && !host.silent && !faults.deaf()) wake();
      }) ?? (() => {}),
  };
}
