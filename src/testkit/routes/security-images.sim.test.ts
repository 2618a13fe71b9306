// Images that are not what they seem (security cases 1 to 4 and 6), through the upload of the image API. The formats
// are tried one by one beside the inspector; here what counts is that a refused image has no content and boots nothing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectAll, makeImage, MIB } from '../../control/image/content/real-images.ts';
import { openTestCloud, type TestCloud } from './cloud.ts';
import { createFurnishedTenant, type Tenant } from './fixtures.ts';

let cloud: TestCloud;
let own: Tenant;
beforeAll(async () => {
  cloud = await openTestCloud('sqlite');
  own = await createFurnishedTenant(cloud, 'quokka');
});
afterAll(() => cloud.close());

const member = () => own.tokens.member;

describe('images that are not what they seem (1 to 4, 6)', () => {
  const upload = async (diskFormat: string, content: Buffer) => {
    const image = (await cloud.must(member(), 'POST', '/image/v2/images', {
      name: 'hostile',
      disk_format: diskFormat,
      container_format: 'bare',
    })) as { id: string };
    const answer = await cloud.call(member(), 'PUT', `/image/v2/images/${image.id}/file`, content, {
      'content-type': 'application/octet-stream',
    });
    const after = (await cloud.must(member(), 'GET', `/image/v2/images/${image.id}`)) as {
      status: string;
      checksum: string | null;
      size: number | null;
    };
    return { answer, after };
  };
  const vmdk = (extent: string): Buffer =>
    Buffer.from(
      `# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 20480 FLAT "${extent}" 0\nddb.virtualHWVersion = "4"\nddb.geometry.cylinders = "20"\nddb.adapterType = "ide"\n`.padEnd(
        2048,
        '\n',
      ),
    );

  const changed = async (change: (image: Buffer) => void): Promise<Buffer> => {
    const image = await makeImage('qcow2', 10 * MIB);
    change(image);
    return image;
  };
  const cases: readonly [string, string, () => Promise<Buffer>, RegExp][] = [
    ['a qcow2 whose backing file is /etc/passwd', 'qcow2', () => changed((i) => { i.writeBigUInt64BE(0x200n, 8); i.writeUInt32BE(11, 16); i.write('/etc/passwd', 0x200); }), /backing file/],
    ['a qcow2 with the external data file bit', 'qcow2', () => changed((i) => { i.writeBigUInt64BE(4n, 72); }), /external data file/],
    ['a qcow2 that names a data file', 'qcow2', () => changed((i) => { i.writeUInt32BE(0x44415441, 112); i.writeUInt32BE(8, 116); i.write('/etc/pas', 120); i.writeBigUInt64BE(0n, 128); }), /external data file/],
    ['a qcow2 of 1 KiB with 8 EiB behind it', 'qcow2', async () => (await changed((i) => { i.writeBigUInt64BE(2n ** 63n - 512n, 24); })).subarray(0, 1024), /virtual size|cut|truncated|outside|size/],
    ['a VMDK that points at /etc/passwd', 'vmdk', async () => vmdk('/etc/passwd'), /vmdk/i],
    ['a VMDK that points up', 'vmdk', async () => vmdk('../../../../etc/shadow'), /vmdk/i],
    ['a raw image that is a qcow2', 'raw', () => makeImage('qcow2', MIB), /qcow2/],
    ['a raw image that is a VMDK', 'raw', () => makeImage('vmdk', MIB), /vmdk/],
    ['a raw image that is a VMDK descriptor', 'raw', async () => vmdk('/etc/passwd'), /vmdk/i],
    ['a qcow2 that is raw', 'qcow2', async () => Buffer.alloc(4096, 7), /qcow2|raw/],
    ['an ISO that is a qcow2', 'iso', () => makeImage('qcow2', MIB), /qcow2|iso/],
    ['a VHD that is a qcow2', 'vhd', () => makeImage('qcow2', MIB), /qcow2|vhd/],
  ]; // prettier-ignore
  it.each(cases)(
    '%s is refused, and the image has no content',
    async (_what, format, content, why) => {
      const { answer, after } = await upload(format, await content());
      expect(answer.status, answer.text).toBe(400);
      expect(answer.text).toMatch(why);
      expect(after).toMatchObject({ status: 'queued', checksum: null, size: null });
    },
    30_000,
  );

  it('the same upload with an honest image is accepted', async () => {
    const content = await makeImage('qcow2', MIB);
    expect(inspectAll(content).problems).toEqual([]);
    const { answer, after } = await upload('qcow2', content);
    expect(answer.status, answer.text).toBe(204);
    expect(after.status).toBe('active');
  }, 30_000);

  it('a server cannot be made of an image whose content was refused', async () => {
    const image = (await cloud.must(member(), 'POST', '/image/v2/images', {
      name: 'empty',
      disk_format: 'raw',
      container_format: 'bare',
    })) as { id: string };
    const server = { name: 'x', flavorRef: own.ids['flavor'], imageRef: image.id, networks: 'none' };
    const answer = await cloud.call(member(), 'POST', '/compute/v2.1/servers', { server });
    expect(answer.status, answer.text).toBe(400);
  });
});
