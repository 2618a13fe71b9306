// Figures of a container that runs: podman's own, and of its interfaces by the kernel.
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { run } from '../../../../kernel/run.ts';
import type { GuestFigures } from '../../../../protocol/link.ts';
import { nicFigures } from '../link-figures.ts';
import type { createPodmanClient } from './client.ts';

const statsSchema = Compile(
  Type.Object({
    Stats: Type.Array(
      Type.Object({
        CPUNano: Type.Number(),
        MemUsage: Type.Number(),
        MemLimit: Type.Number(),
        BlockInput: Type.Number(),
        BlockOutput: Type.Number(),
      }),
      { minItems: 1 },
    ),
  }),
);
const linksSchema = Compile(
  Type.Array(
    Type.Object({
      address: Type.Optional(Type.String()),
      ifalias: Type.Optional(Type.String()),
      stats64: Type.Object({
        rx: Type.Record(Type.String(), Type.Number()),
        tx: Type.Record(Type.String(), Type.Number()),
      }),
    }),
  ),
);

const MIB = 1024 * 1024;

/** The interfaces of ports in the container's namespace. */
async function nicsIn(netns: string): Promise<GuestFigures['nics']> {
  const links: unknown = JSON.parse((await run(['ip', '-n', netns, '-j', '-s', 'link', 'show'])).stdout);
  if (!linksSchema.Check(links)) return [];
  return links
    .filter((link) => link.ifalias?.startsWith('port:') === true)
    .map((link) => nicFigures(link.address ?? '', link.stats64.rx, link.stats64.tx));
}

export async function containerFigures(
  client: ReturnType<typeof createPodmanClient>,
  name: string,
  netns: string | null,
): Promise<GuestFigures | null> {
  const { status, body } = await client.call(
    'GET',
    `/containers/stats?stream=false&containers=${encodeURIComponent(name)}`,
  );
  if (status !== 200 || !statsSchema.Check(body)) return null;
  const [stats] = body.Stats;
  if (stats === undefined) return null;
  return {
    // podman tells the time that its processes have used, not for how long they are there
    uptimeS: null,
    memory: { maximumMib: Math.round(stats.MemLimit / MIB), usedMib: Math.round(stats.MemUsage / MIB) },
    cpus: [{ id: 0, timeNs: Math.round(stats.CPUNano) }],
    nics: netns === null ? [] : await nicsIn(netns),
    disks: [
      {
        readBytes: stats.BlockInput,
        readRequests: null,
        writeBytes: stats.BlockOutput,
        writeRequests: null,
        errors: null,
      },
    ],
  };
}
