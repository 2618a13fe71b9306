// Who asks the metadata service: the server whose port has the address, kept as ports come and go. Anti-spoofing
// makes an address a proof.
import type { Controller } from '../controller.ts';

/** The port controller it is given, which now also keeps the index that `serverAt` looks into. */
export function indexCallers(port: Controller<'port'>): {
  port: Controller<'port'>;
  serverAt(networkId: string, address: string): string | null;
} {
  const byAddress = new Map<string, string>();
  const byPort = new Map<string, string[]>();
  const forget = (portId: string): void => {
    for (const key of byPort.get(portId) ?? []) byAddress.delete(key);
    byPort.delete(portId);
  };
  return {
    serverAt: (networkId, address) => byAddress.get(`${networkId} ${address}`) ?? null,
    port: {
      ...port,
      async ensure(item, host) {
        forget(item.id);
        if (item.body !== null) {
          const { networkId, serverId, fixedIps } = item.body;
          const keys = fixedIps.map((ip) => `${networkId} ${ip.ipAddress}`);
          for (const key of keys) byAddress.set(key, serverId);
          byPort.set(item.id, keys);
        }
        return port.ensure(item, host);
      },
      remove(id) {
        forget(id);
        return port.remove(id);
      },
    },
  };
}
