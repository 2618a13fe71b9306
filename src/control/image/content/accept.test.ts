// What a user declares against what the content is, over every pair.
import { describe, expect, it } from 'vitest';

import { acceptImage } from './accept.ts';
import type { FormatName } from './format.ts';
import { inspectAll, makeImage, MIB } from './real-images.ts';
import type { Inspection } from './inspect.ts';

const limits = { maxVirtualSize: 100 * MIB };
const of = (format: FormatName, change: Partial<Inspection> = {}): Inspection => ({
  format,
  virtualSize: MIB,
  size: MIB,
  problems: [],
  partitionTable: null,
  ...change,
});

describe('what is declared must be what is there', () => {
  const formats: FormatName[] = ['raw', 'qcow2', 'vhd', 'vhdx', 'vmdk', 'vdi', 'iso', 'ploop'];
  const others: FormatName[] = [
    'luks',
    'qed',
    'qcow',
    'dmg',
    'bochs',
    'cloop',
    'tar',
    'gzip',
    'docker-archive',
    'oci-archive',
  ];

  it('for every pair of disk formats, in bare and in ovf', () => {
    for (const containerFormat of ['bare', 'ovf']) {
      for (const diskFormat of formats) {
        for (const actual of [...formats, ...others]) {
          const answer = acceptImage({ diskFormat, containerFormat }, of(actual), limits);
          expect(answer.ok, `${diskFormat} declared, ${actual} found`).toBe(diskFormat === actual);
        }
      }
    }
  });

  it('and the message names field, value and rule', () => {
    expect(acceptImage({ diskFormat: 'raw', containerFormat: 'bare' }, of('qcow2'), limits)).toEqual({
      ok: false,
      message: 'disk_format is raw, but the content is qcow2, it must be raw',
    });
    expect(acceptImage({ diskFormat: 'exe', containerFormat: 'bare' }, of('raw'), limits)).toEqual({
      ok: false,
      message:
        'disk_format is "exe", it must be one of raw, qcow2, vhd, vhdx, vmdk, vdi, iso, ploop, ami, aki, ari',
    });
    expect(acceptImage({ diskFormat: 'constructor', containerFormat: 'bare' }, of('raw'), limits).ok).toBe(
      false,
    );
    expect(acceptImage({ diskFormat: 'raw', containerFormat: 'toString' }, of('raw'), limits).ok).toBe(false);
  });

  it('a real qcow2 declared raw is refused, declared qcow2 taken with its virtual size', async () => {
    const inspection = inspectAll(await makeImage('qcow2', 10 * MIB));
    expect(acceptImage({ diskFormat: 'raw', containerFormat: 'bare' }, inspection, limits).ok).toBe(false);
    const answer = acceptImage({ diskFormat: 'qcow2', containerFormat: 'bare' }, inspection, limits);
    expect(answer).toEqual({ ok: true, virtualSize: 10 * MIB });
  });

  it('any problem refuses, whatever was declared', () => {
    for (const format of formats) {
      const answer = acceptImage(
        { diskFormat: format, containerFormat: 'bare' },
        of(format, { problems: ['x is y'] }),
        limits,
      );
      expect(answer).toEqual({ ok: false, message: 'image content is refused: x is y' });
    }
  });

  it('a virtual size above the limit, or unknown, is refused', () => {
    const qcow2 = { diskFormat: 'qcow2', containerFormat: 'bare' };
    expect(acceptImage(qcow2, of('qcow2', { virtualSize: 100 * MIB }), limits).ok).toBe(true);
    expect(acceptImage(qcow2, of('qcow2', { virtualSize: 100 * MIB + 1 }), limits).ok).toBe(false);
    expect(acceptImage(qcow2, of('qcow2', { virtualSize: null }), limits).ok).toBe(false);
  });

  it('Amazon formats come in pairs and are plain content', () => {
    for (const kind of ['ami', 'aki', 'ari']) {
      const declared = { diskFormat: kind, containerFormat: kind };
      expect(acceptImage(declared, of('raw'), limits).ok).toBe(true);
      expect(acceptImage(declared, of('qcow2'), limits).ok).toBe(false);
      expect(acceptImage({ ...declared, containerFormat: 'bare' }, of('raw'), limits).ok).toBe(false);
      expect(acceptImage({ ...declared, diskFormat: 'raw' }, of('raw'), limits).ok).toBe(false);
    }
    expect(
      acceptImage({ diskFormat: 'ari', containerFormat: 'ari' }, of('gzip', { virtualSize: null }), limits)
        .ok,
    ).toBe(true);
  });

  it('containers hold what they say', () => {
    const docker = { diskFormat: 'raw', containerFormat: 'docker' };
    for (const format of ['docker-archive', 'oci-archive'] as const) {
      expect(acceptImage(docker, of(format, { virtualSize: null }), limits)).toEqual({
        ok: true,
        virtualSize: null,
      });
    }
    for (const format of ['raw', 'tar', 'gzip', 'qcow2'] as const)
      expect(acceptImage(docker, of(format), limits).ok).toBe(false);
    expect(acceptImage({ ...docker, diskFormat: 'qcow2' }, of('docker-archive'), limits).ok).toBe(false);
    expect(acceptImage({ diskFormat: 'vmdk', containerFormat: 'ova' }, of('tar'), limits).ok).toBe(true);
    expect(acceptImage({ diskFormat: 'vmdk', containerFormat: 'ova' }, of('vmdk'), limits).ok).toBe(false);
    expect(acceptImage({ diskFormat: 'qcow2', containerFormat: 'compressed' }, of('gzip'), limits).ok).toBe(
      true,
    );
    expect(acceptImage({ diskFormat: 'qcow2', containerFormat: 'compressed' }, of('qcow2'), limits).ok).toBe(
      false,
    );
  });
});
