// How large a volume must be for what an image holds.

const GIB = 1024 ** 3;

/** GiB; at least 1. */
export const sourceSize = (image: {
  min_disk: number;
  /** Bytes. */
  virtual_size: number | null;
  size: number | null;
}): number => Math.max(1, image.min_disk, Math.ceil((image.virtual_size ?? image.size ?? 0) / GIB));
