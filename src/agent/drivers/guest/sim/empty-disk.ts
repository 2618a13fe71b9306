// What a simulated guest has on its root disk, for whoever copies that.
const CLUSTER = 512;

/** A disk of 1 MiB on which nothing was written, as QEMU's format has it. */
export const EMPTY_QCOW2: Buffer = (() => {
  const image = Buffer.alloc(4 * CLUSTER);
  image.write('QFI\xfb', 'latin1');
  image.writeUInt32BE(3, 4);
  image.writeUInt32BE(Math.log2(CLUSTER), 20);
  image.writeBigUInt64BE(BigInt(1024 * 1024), 24);
  image.writeUInt32BE((1024 * 1024) / (CLUSTER * (CLUSTER / 8)), 36);
  image.writeBigUInt64BE(BigInt(CLUSTER), 40); // first-level table
  image.writeBigUInt64BE(BigInt(2 * CLUSTER), 48); // reference counts
  image.writeUInt32BE(1, 56);
  image.writeUInt32BE(4, 96); // 16 bits each
  image.writeUInt32BE(104, 100);
  image.writeBigUInt64BE(BigInt(3 * CLUSTER), 2 * CLUSTER);
  for (let cluster = 0; cluster < 4; cluster += 1) image.writeUInt16BE(1, 3 * CLUSTER + 2 * cluster);
  return image;
})();
