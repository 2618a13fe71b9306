// qcow2 (QEMU docs/interop/qcow2): refuses whatever names another file (backing file, external data file) or asks the
// reader for more memory than the file itself could fill.
import type { Captured } from './capture.ts';
import { banned, divideUp, type Finding, type Format, outside, startsWith, truncated } from './format.ts';

const MAGIC = 'QFI\xfb';
const V2_HEADER = 72;
const V3_HEADER = 104;
/** QEMU's own limits on the two tables it loads whole. */
const MAX_L1_BYTES = 32n * 1024n * 1024n;
const MAX_REFCOUNT_BYTES = 8n * 1024n * 1024n;
const MAX_SNAPSHOTS = 65536;

const CORRUPT = 1n << 1n;
const DATA_FILE = 1n << 2n;
const COMPRESSION = 1n << 3n;
const KNOWN_INCOMPATIBLE = 0b11111n;
const AUTOCLEAR_RAW_DATA_FILE = 1n << 1n;

const EXTENSION_DATA_FILE = 0x44415441;
const EXTENSION_ENCRYPTION = 0x0537be77;

export const qcow2: Format = {
  name: 'qcow2',
  matches: ({ head }) => startsWith(head, MAGIC) && !isVersion1(head),
  inspect,
};

/** The first qcow has the same magic, another header, and no user left. */
export const qcow: Format = {
  name: 'qcow',
  matches: ({ head }) => startsWith(head, MAGIC) && isVersion1(head),
  inspect: () => banned('qcow (version 1)'),
};

function isVersion1(head: Buffer): boolean {
  return head.length >= 8 && head.readUInt32BE(4) === 1;
}

function inspect({ head, size }: Captured): Finding {
  if (head.length < V2_HEADER) return truncated('qcow2 header', head.length, V2_HEADER);
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) {
    return { virtualSize: null, problems: [`qcow2 version is ${version}, it must be 2 or 3`] };
  }
  if (version === 3 && head.length < V3_HEADER) return truncated('qcow2 header', head.length, V3_HEADER);

  const problems: string[] = [];
  const backingOffset = head.readBigUInt64BE(8);
  const backingLength = head.readUInt32BE(16);
  if (backingOffset !== 0n || backingLength !== 0) {
    problems.push(
      `qcow2 backing file is set (offset ${backingOffset}, length ${backingLength}), it must not be`,
    );
  }
  const encryption = head.readUInt32BE(32);
  if (encryption !== 0) problems.push(`qcow2 encryption method is ${encryption}, it must be 0 (none)`);

  const virtualSize = head.readBigUInt64BE(24);
  const clusterBits = head.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21) {
    problems.push(`qcow2 cluster_bits is ${clusterBits}, it must be 9 to 21`);
    return { virtualSize, problems };
  }
  const cluster = 1n << BigInt(clusterBits);
  let headerLength = V2_HEADER;
  let extendedL2 = false;
  if (version === 3) {
    headerLength = head.readUInt32BE(100);
    extendedL2 = (head.readBigUInt64BE(72) & (1n << 4n)) !== 0n;
    problems.push(...featureProblems(head, headerLength, cluster));
  }
  problems.push(...tableProblems(head, size, virtualSize, cluster, extendedL2));
  problems.push(...extensionProblems(head, headerLength, Number(cluster)));
  return { virtualSize, problems };
}

function featureProblems(head: Buffer, headerLength: number, cluster: bigint): string[] {
  const problems: string[] = [];
  const incompatible = head.readBigUInt64BE(72);
  if ((incompatible & DATA_FILE) !== 0n) problems.push('qcow2 external data file bit is set, it must not be');
  if ((incompatible & CORRUPT) !== 0n) problems.push('qcow2 corrupt bit is set, it must not be');
  const unknown = incompatible & ~KNOWN_INCOMPATIBLE;
  if (unknown !== 0n) problems.push(`qcow2 incompatible features 0x${unknown.toString(16)} are unknown`);
  if ((head.readBigUInt64BE(88) & AUTOCLEAR_RAW_DATA_FILE) !== 0n) {
    problems.push('qcow2 raw external data bit is set, it must not be');
  }
  const refcountOrder = head.readUInt32BE(96);
  if (refcountOrder > 6) problems.push(`qcow2 refcount_order is ${refcountOrder}, it must be at most 6`);
  if (headerLength < V3_HEADER || headerLength % 8 !== 0 || BigInt(headerLength) > cluster) {
    problems.push(
      `qcow2 header_length is ${headerLength}, it must be a multiple of 8 from 104 to the cluster size`,
    );
  }
  const compression = headerLength > V3_HEADER && head.length > V3_HEADER ? head.readUInt8(104) : 0;
  if (compression > 1 || (compression !== 0) !== ((incompatible & COMPRESSION) !== 0n)) {
    problems.push(
      `qcow2 compression type is ${compression}: it must be 0 or 1 and agree with the feature bit`,
    );
  }
  return problems;
}

function tableProblems(
  head: Buffer,
  size: number,
  virtualSize: bigint,
  cluster: bigint,
  extendedL2: boolean,
): string[] {
  const problems: string[] = [];
  const l1Size = BigInt(head.readUInt32BE(36));
  const l1Offset = head.readBigUInt64BE(40);
  const needed = divideUp(virtualSize, cluster * (cluster / (extendedL2 ? 16n : 8n)));
  if (l1Size < needed) {
    problems.push(`qcow2 l1_size is ${l1Size}, a virtual size of ${virtualSize} bytes needs ${needed}`);
  }
  if (l1Size * 8n > MAX_L1_BYTES)
    problems.push(`qcow2 l1_size is ${l1Size}, it must be at most ${MAX_L1_BYTES / 8n}`);
  if (l1Offset % cluster !== 0n)
    problems.push(`qcow2 L1 table offset ${l1Offset} is not a multiple of the cluster size`);
  problems.push(...outside('qcow2 L1 table', l1Offset, l1Size * 8n, size));

  const refcountOffset = head.readBigUInt64BE(48);
  const refcountBytes = BigInt(head.readUInt32BE(56)) * cluster;
  if (refcountBytes === 0n || refcountBytes > MAX_REFCOUNT_BYTES) {
    problems.push(
      `qcow2 refcount table is ${refcountBytes} bytes long, it must be 1 to ${MAX_REFCOUNT_BYTES}`,
    );
  }
  if (refcountOffset === 0n || refcountOffset % cluster !== 0n) {
    problems.push(
      `qcow2 refcount table offset ${refcountOffset} is not a positive multiple of the cluster size`,
    );
  }
  problems.push(...outside('qcow2 refcount table', refcountOffset, refcountBytes, size));

  const snapshots = head.readUInt32BE(60);
  if (snapshots > MAX_SNAPSHOTS)
    problems.push(`qcow2 nb_snapshots is ${snapshots}, it must be at most ${MAX_SNAPSHOTS}`);
  // 40 bytes is the smallest entry of the snapshot table.
  if (snapshots > 0) {
    problems.push(
      ...outside('qcow2 snapshot table', head.readBigUInt64BE(64), BigInt(snapshots) * 40n, size),
    );
  }
  return problems;
}

/** The extensions follow the header, each type, length, data padded to 8; they end with type 0 or with the cluster. */
function extensionProblems(head: Buffer, start: number, cluster: number): string[] {
  const problems: string[] = [];
  let offset = start;
  while (offset + 8 <= cluster) {
    if (offset + 8 > head.length) {
      return [...problems, `qcow2 header extensions do not end within the first ${head.length} bytes`];
    }
    const type = head.readUInt32BE(offset);
    const length = head.readUInt32BE(offset + 4);
    if (type === 0) return problems;
    if (offset + 8 + length > cluster) {
      return [
        ...problems,
        `qcow2 header extension 0x${type.toString(16)} is ${length} bytes long, past the first cluster`,
      ];
    }
    // The name alone is refused, whatever the feature bit says: some reader may go by the one and not by the other.
    if (type === EXTENSION_DATA_FILE)
      problems.push('qcow2 header extension names an external data file, it must not');
    if (type === EXTENSION_ENCRYPTION)
      problems.push('qcow2 header extension holds an encryption header, it must not');
    offset += 8 + Math.ceil(length / 8) * 8;
  }
  return problems;
}
