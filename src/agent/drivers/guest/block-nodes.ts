// A volume's chain of layers as QEMU block nodes. Each file of a chain is a node of its own with an explicit format
// and an explicit file below it, so that no header decides what is opened.
import type { VolumeLayer } from '../volume/driver.ts';

export type BlockNode = Record<string, unknown> & { 'node-name': string };

const fileNode = (layer: VolumeLayer): string => `${layer.id}-file`;

/** `backing`: the node below; null: nothing. */
export function nodesOf(layer: VolumeLayer, readOnly: boolean, backing: string | null): BlockNode[] {
  const access = { 'read-only': readOnly, 'auto-read-only': false, discard: 'unmap' };
  return [
    { 'node-name': fileNode(layer), driver: 'file', filename: layer.path, ...access },
    {
      'node-name': layer.id,
      driver: layer.format,
      file: fileNode(layer),
      ...access,
      ...(layer.format === 'qcow2' ? { backing } : {}),
    },
  ];
}

/** Every node of a chain, the lowest first; only the top is written to. */
export const chainNodes = (layers: readonly VolumeLayer[], readOnly: boolean): BlockNode[] =>
  layers
    .flatMap((layer, at) => nodesOf(layer, at > 0 || readOnly, layers[at + 1]?.id ?? null).toReversed())
    .toReversed();
