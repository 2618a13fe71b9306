// Tells what a file is by its own bytes, so that its user need not know, and so that what the cloud would refuse is said
// before hours of upload. The cloud looks for itself when the content arrives; this is only a courtesy.

export type Warning = 'compressed' | 'encrypted' | 'backing' | 'unbootable' | 'empty';

export type Guess = {
  /** As the image API names them. */
  diskFormat: string;
  containerFormat: 'bare' | 'docker' | 'ova';
  /** Bytes of the disk that a guest sees; null: the file does not say. */
  virtualSize: number | null;
  /** false: nothing in the content tells; the name decided. */
  certain: boolean;
  warning: Warning | null;
};

export type Source = {
  name: string;
  /** Bytes. */
  size: number;
  /** Fewer bytes than asked for at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
};

export const sourceOf = (file: File): Source => ({
  name: file.name,
  size: file.size,
  read: async (offset, length) => new Uint8Array(await file.slice(offset, offset + length).arrayBuffer()),
});

const HEAD = 1024;
const ISO_AT = 0x8000;
const TAR_BLOCK = 512;
/** Archives of containers have a few hundred entries at most. */
const MAX_ENTRIES = 5_000;

const latin = (bytes: Uint8Array, from: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(from, from + length));

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const disk = (
  diskFormat: string,
  virtualSize: number | null = null,
  warning: Warning | null = null,
): Guess => ({
  diskFormat,
  containerFormat: 'bare',
  virtualSize,
  certain: true,
  warning,
});

/** QEMU, docs/interop/qcow2.txt: backing file at 8, size at 24, crypt method at 32. */
function qcow2(head: Uint8Array): Guess {
  const view = viewOf(head);
  const warning = view.getBigUint64(8) !== 0n ? 'backing' : view.getUint32(32) !== 0 ? 'encrypted' : null;
  return disk('qcow2', Number(view.getBigUint64(24)), warning);
}

/** The names of the entries of a tar, header by header; what is not one ends it. */
async function* entriesOf(source: Source): AsyncGenerator<string> {
  let offset = 0;
  for (let count = 0; count < MAX_ENTRIES && offset + TAR_BLOCK <= source.size; count += 1) {
    const header = await source.read(offset, TAR_BLOCK);
    if (latin(header, 257, 5) !== 'ustar') return;
    yield latin(header, 0, 100).replace(/\0.*$/s, '').replace(/^\.\//, '');
    const size = Number.parseInt(latin(header, 124, 12).replaceAll('\0', '').trim(), 8);
    if (!Number.isFinite(size)) return;
    offset += TAR_BLOCK * (1 + Math.ceil(size / TAR_BLOCK));
  }
}

async function archive(source: Source): Promise<Guess> {
  for await (const name of entriesOf(source)) {
    if (name === 'manifest.json' || name === 'oci-layout')
      return { ...disk('raw'), containerFormat: 'docker' };
    if (/\.ovf$/i.test(name)) return { ...disk('vmdk'), containerFormat: 'ova', warning: 'unbootable' };
  }
  return disk('raw', null, 'unbootable');
}

const COMPRESSED: readonly (readonly [magic: string, what: string])[] = [
  ['\x1f\x8b', 'gzip'],
  ['\xfd7zXZ\0', 'xz'],
  ['(\xb5/\xfd', 'zstd'],
  ['BZh', 'bzip2'],
  ['PK\x03\x04', 'zip'],
];

const BY_NAME: Readonly<Record<string, string>> = {
  qcow2: 'qcow2',
  vmdk: 'vmdk',
  vdi: 'vdi',
  vhd: 'vhd',
  vhdx: 'vhdx',
  iso: 'iso',
};

/** Never rejects for what is in the file. */
export async function guess(source: Source): Promise<Guess> {
  const head = await source.read(0, HEAD);
  if (head.length === 0) return disk('raw', 0, 'empty');
  const begins = (magic: string, at = 0): boolean =>
    head.length >= at + magic.length && latin(head, at, magic.length) === magic;
  const compressed = COMPRESSED.some(([magic]) => begins(magic));
  // Every header that is read below is longer than this.
  if (head.length >= TAR_BLOCK) {
    const view = viewOf(head);
    if (begins('QFI\xfb')) return qcow2(head);
    if (begins('KDMV')) return disk('vmdk', Number(view.getBigUint64(12, true)) * 512);
    if (begins('vhdxfile')) return disk('vhdx');
    if (view.getUint32(0x40, true) === 0xbeda107f) return disk('vdi', Number(view.getBigUint64(0x170, true)));
    if (begins('LUKS\xba\xbe')) return disk('raw', source.size, 'encrypted');
    if (begins('ustar', 257)) return archive(source);
    const foot = await source.read(Math.max(0, source.size - 512), 512);
    if (begins('conectix') || latin(foot, 0, 8) === 'conectix')
      return disk('vhd', Number(viewOf(begins('conectix') ? head : foot).getBigUint64(48)));
    if (latin(await source.read(ISO_AT + 1, 5), 0, 5) === 'CD001') return disk('iso', source.size);
    // The signature of a boot sector: a disk as it is.
    if (head[510] === 0x55 && head[511] === 0xaa) return disk('raw', source.size);
  }
  if (begins('# Disk DescriptorFile')) return disk('vmdk', null, 'unbootable');
  if (compressed) return disk(nameOf(source.name).format ?? 'raw', null, 'compressed');
  return { ...disk(nameOf(source.name).format ?? 'raw'), certain: false };
}

/** 'debian-12.qcow2.xz' -> { name: 'debian-12', format: 'qcow2' } */
export function nameOf(file: string): { name: string; format: string | null } {
  const bare = file.replace(/^.*[/\\]/, '').replace(/\.(?:gz|xz|zst|bz2|zip)$/i, '');
  const [, name, extension] = /^(.+)\.([A-Za-z0-9]{2,6})$/.exec(bare) ?? [];
  if (name === undefined || extension === undefined) return { name: bare, format: null };
  const known = /^(?:img|raw|bin|tar|oci|ova|qcow2|vmdk|vdi|vhd|vhdx|iso)$/i.test(extension);
  return { name: known ? name : bare, format: BY_NAME[extension.toLowerCase()] ?? null };
}
