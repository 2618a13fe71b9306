// Compares what a user declared with what the content is. Everything that stores or boots an image asks here; content
// that is not what it was declared to be is an error on every path (CVE-2024-40767, CVE-2022-47951).
import type { FormatName } from './format.ts';
import type { Inspection } from './inspect.ts';

export type Declared = { diskFormat: string; containerFormat: string };

export type AcceptLimits = {
  /** Bytes a guest may see at most. */
  maxVirtualSize: number;
};

export type Accepted = { ok: true; virtualSize: number | null } | { ok: false; message: string };

/** Disk formats a user may declare, with the content each may have. */
const DISK_CONTENT: Readonly<Record<string, readonly FormatName[]>> = {
  raw: ['raw'],
  qcow2: ['qcow2'],
  vhd: ['vhd'],
  vhdx: ['vhdx'],
  vmdk: ['vmdk'],
  vdi: ['vdi'],
  iso: ['iso'],
  ploop: ['ploop'],
  // An Amazon machine image is a bare file system, a kernel, or an initial ramdisk (which is mostly compressed).
  ami: ['raw'],
  aki: ['raw'],
  ari: ['raw', 'gzip'],
};

/** Containers that hold something else than the disk itself, with the content each may have. */
const CONTAINER_CONTENT: Readonly<Record<string, readonly FormatName[]>> = {
  docker: ['docker-archive', 'oci-archive'],
  ova: ['tar'],
  compressed: ['gzip'],
};

const AMAZON = ['ami', 'aki', 'ari'];
const PLAIN_CONTAINERS = ['bare', 'ovf'];

/**
 * `virtualSize` of the answer is null when the content is no disk as it stands (docker, ova, compressed): who unpacks it
 * must inspect what comes out before any use.
 */
export function acceptImage(declared: Declared, inspection: Inspection, limits: AcceptLimits): Accepted {
  const { diskFormat, containerFormat } = declared;
  const refuse = (message: string): Accepted => ({ ok: false, message });
  const diskContent = Object.hasOwn(DISK_CONTENT, diskFormat) ? DISK_CONTENT[diskFormat] : undefined;
  if (diskContent === undefined) {
    return refuse(
      `disk_format is ${show(diskFormat)}, it must be one of ${Object.keys(DISK_CONTENT).join(', ')}`,
    );
  }
  if (AMAZON.includes(diskFormat) || AMAZON.includes(containerFormat)) {
    if (diskFormat !== containerFormat) {
      return refuse(
        `disk_format is ${diskFormat} and container_format is ${show(containerFormat)}, with one of ${AMAZON.join(', ')} they must be the same`,
      );
    }
  } else if (
    !PLAIN_CONTAINERS.includes(containerFormat) &&
    !Object.hasOwn(CONTAINER_CONTENT, containerFormat)
  ) {
    const known = [...PLAIN_CONTAINERS, ...Object.keys(CONTAINER_CONTENT), ...AMAZON];
    return refuse(`container_format is ${show(containerFormat)}, it must be one of ${known.join(', ')}`);
  }
  if (containerFormat === 'docker' && diskFormat !== 'raw') {
    return refuse(`disk_format is ${diskFormat}, with container_format docker it must be raw`);
  }

  const [problem] = inspection.problems;
  if (problem !== undefined) return refuse(`image content is refused: ${problem}`);
  const contained = Object.hasOwn(CONTAINER_CONTENT, containerFormat)
    ? CONTAINER_CONTENT[containerFormat]
    : undefined;
  const allowed = contained ?? diskContent;
  if (!allowed.includes(inspection.format)) {
    const field =
      contained === undefined ? `disk_format is ${diskFormat}` : `container_format is ${containerFormat}`;
    return refuse(`${field}, but the content is ${inspection.format}, it must be ${allowed.join(' or ')}`);
  }
  if (contained !== undefined) return { ok: true, virtualSize: null };
  // A compressed ramdisk is used as it is.
  const virtualSize = inspection.format === 'gzip' ? inspection.size : inspection.virtualSize;
  if (virtualSize === null) return refuse('image content is refused: its virtual size is not known');
  if (virtualSize > limits.maxVirtualSize) {
    return refuse(`virtual size is ${virtualSize} bytes, it must be at most ${limits.maxVirtualSize}`);
  }
  return { ok: true, virtualSize };
}

function show(value: string): string {
  return JSON.stringify(value.slice(0, 40));
}
