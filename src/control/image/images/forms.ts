// The forms in which an image's content lies in the store, and under which name each does.
import { isConvertible } from '../content/convert.ts';
import type { ImageRow } from './wire.ts';

/** Formats that guests boot as they are; others get a qcow2 beside. */
export const BOOTABLE: ReadonlySet<string> = new Set(['raw', 'qcow2', 'iso']);
export const needsConversion = (row: Pick<ImageRow, 'disk_format' | 'container_format'>): boolean =>
  row.container_format === 'bare' && !BOOTABLE.has(row.disk_format) && isConvertible(row.disk_format);
export const bootCopyOf = (imageId: string): string => `${imageId}-boot`;
/** Content that waits to be imported. */
export const stageOf = (imageId: string): string => `${imageId}-stage`;
/** The image that a content belongs to. */
export const ownerOf = (contentId: string): string => contentId.replace(/-(boot|stage)$/, '');
