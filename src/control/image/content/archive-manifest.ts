// Reads the documents of a container image archive once all its entries are known: which image it holds, and that
// everything the image refers to is there and has the digest it is named by.
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';

/** The archive is refused; the message names entry, value and rule, and is fit for the user. */
export class ArchiveError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ArchiveError';
  }
}

export type ArchiveFile = {
  kind: 'file';
  size: number;
  /** sha256 of the bytes as they lie in the archive. */
  digest: string;
  /** sha256 and size after decompression; the same as above for what is not compressed. */
  contentDigest: string;
  contentSize: number;
  /** The bytes of what may be a JSON document. */
  document: Buffer | null;
};
export type ArchiveEntry = ArchiveFile | { kind: 'link'; target: string };
export type ArchiveEntries = ReadonlyMap<string, ArchiveEntry>;

export type ArchiveInfo = {
  format: 'docker-archive' | 'oci-archive';
  /** `sha256:` and hex: the image id. */
  configDigest: string;
  /** As the image says it: amd64, arm64, ... */
  architecture: string;
  os: string;
  layers: number;
  /** Bytes of all layers, unpacked. */
  uncompressedSize: number;
  /** Whether the image says what to run (Entrypoint or Cmd). */
  entrypoint: boolean;
};

const MAX_LAYERS = 512;
const DIGEST = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });
const NAME = Type.String({ minLength: 1, maxLength: 512 });

const dockerManifest = Type.Array(
  Type.Object({ Config: NAME, Layers: Type.Array(NAME, { minItems: 1, maxItems: MAX_LAYERS }) }),
  { maxItems: 64 },
);
const descriptor = Type.Object({
  mediaType: Type.Optional(Type.String({ maxLength: 256 })),
  digest: DIGEST,
  size: Type.Integer({ minimum: 0 }),
  platform: Type.Optional(Type.Object({ os: Type.String(), architecture: Type.String() })),
});
const ociIndex = Type.Object({
  schemaVersion: Type.Literal(2),
  manifests: Type.Array(descriptor, { maxItems: 256 }),
});
const ociManifest = Type.Object({
  schemaVersion: Type.Literal(2),
  config: descriptor,
  layers: Type.Array(descriptor, { minItems: 1, maxItems: MAX_LAYERS }),
});
const command = Type.Optional(Type.Union([Type.Null(), Type.Array(Type.String())]));
const imageConfig = Type.Object({
  architecture: Type.String({ minLength: 1, maxLength: 64 }),
  os: Type.String({ minLength: 1, maxLength: 64 }),
  config: Type.Optional(Type.Union([Type.Null(), Type.Object({ Entrypoint: command, Cmd: command })])),
  rootfs: Type.Object({
    type: Type.Literal('layers'),
    diff_ids: Type.Array(DIGEST, { maxItems: MAX_LAYERS }),
  }),
});

const parsers = {
  dockerManifest: Compile(dockerManifest),
  ociIndex: Compile(ociIndex),
  ociManifest: Compile(ociManifest),
  imageConfig: Compile(imageConfig),
};

/** Throws ArchiveError unless the archive holds exactly one complete image. */
export function judgeArchive(entries: ArchiveEntries): ArchiveInfo {
  const docker = entries.has('manifest.json');
  const oci = entries.has('index.json');
  if (!docker && !oci)
    throw new ArchiveError('archive has neither manifest.json (docker save) nor index.json (OCI layout)');
  for (const [name, entry] of entries) {
    const named = /^blobs\/sha256\/([^/]+)$/.exec(name)?.[1];
    if (named !== undefined && entry.kind === 'file' && entry.digest !== `sha256:${named}`) {
      throw new ArchiveError(
        `blob ${name} of the archive has digest ${entry.digest}, it must be the one it is named by`,
      );
    }
  }
  const images = [...(docker ? [readDocker(entries)] : []), ...(oci ? readOci(entries) : [])];
  const ids = new Set(images.map((image) => image.configDigest));
  // An archive with both documents must mean the same image by both: readers differ in which they take.
  if (ids.size !== 1 || images[0] === undefined) {
    throw new ArchiveError(`archive holds ${ids.size} images, it must hold exactly 1`);
  }
  return images[0];
}

function readDocker(entries: ArchiveEntries): ArchiveInfo {
  const [image, ...others] = parse(entries, 'manifest.json', parsers.dockerManifest);
  if (image === undefined || others.length > 0) {
    throw new ArchiveError(
      `manifest.json names ${image === undefined ? 0 : others.length + 1} images, it must name exactly 1`,
    );
  }
  const config = file(entries, image.Config);
  const named = /([0-9a-f]{64})(?:\.json)?$/.exec(image.Config)?.[1];
  if (named !== undefined && config.digest !== `sha256:${named}`) {
    throw new ArchiveError(
      `config ${image.Config} has digest ${config.digest}, it must be the one it is named by`,
    );
  }
  return describe('docker-archive', entries, image.Config, image.Layers);
}

function readOci(entries: ArchiveEntries): ArchiveInfo[] {
  return manifestsOf(entries, 'index.json', 0).map((manifest) => {
    for (const part of [manifest.config, ...manifest.layers]) blob(entries, part);
    const layers = manifest.layers.map((layer) => blobName(layer.digest));
    return describe('oci-archive', entries, blobName(manifest.config.digest), layers);
  });
}

/** The image manifests an index leads to; attestations (platform unknown/unknown) are no images. */
function manifestsOf(entries: ArchiveEntries, name: string, depth: number): Static<typeof ociManifest>[] {
  if (depth > 2) throw new ArchiveError(`index ${name} is nested more than 2 deep`);
  const index = parse(entries, name, parsers.ociIndex);
  const found: Static<typeof ociManifest>[] = [];
  for (const item of index.manifests) {
    if (item.platform?.os === 'unknown') continue;
    blob(entries, item);
    const itemName = blobName(item.digest);
    const nested =
      item.mediaType?.includes('image.index') === true || item.mediaType?.includes('manifest.list') === true;
    if (nested) found.push(...manifestsOf(entries, itemName, depth + 1));
    else found.push(parse(entries, itemName, parsers.ociManifest));
    if (found.length > 64)
      throw new ArchiveError('archive holds more than 64 manifests, it must hold exactly 1 image');
  }
  return found;
}

function describe(
  format: ArchiveInfo['format'],
  entries: ArchiveEntries,
  configName: string,
  layerNames: readonly string[],
): ArchiveInfo {
  const config = parse(entries, configName, parsers.imageConfig);
  const expected = config.rootfs.diff_ids;
  if (expected.length !== layerNames.length) {
    throw new ArchiveError(
      `config lists ${expected.length} layers, the manifest ${layerNames.length}: they must agree`,
    );
  }
  let uncompressedSize = 0;
  for (const [index, name] of layerNames.entries()) {
    const layer = file(entries, name);
    if (layer.contentDigest !== expected[index]) {
      throw new ArchiveError(
        `layer ${name} has content ${layer.contentDigest}, the config says ${expected[index]}`,
      );
    }
    uncompressedSize += layer.contentSize;
  }
  const { Entrypoint, Cmd } = config.config ?? {};
  return {
    format,
    configDigest: file(entries, configName).digest,
    architecture: config.architecture,
    os: config.os,
    layers: layerNames.length,
    uncompressedSize,
    entrypoint: (Entrypoint ?? []).length > 0 || (Cmd ?? []).length > 0,
  };
}

function blobName(digest: string): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

function blob(entries: ArchiveEntries, wanted: Static<typeof descriptor>): void {
  const found = file(entries, blobName(wanted.digest));
  if (found.digest !== wanted.digest || found.size !== wanted.size) {
    throw new ArchiveError(
      `blob ${wanted.digest} is ${found.size} bytes long, the manifest says ${wanted.size}`,
    );
  }
}

/** Looks a name up, through the links that docker save makes for equal layers. */
function file(entries: ArchiveEntries, name: string): ArchiveFile {
  let entry = entries.get(name);
  for (let hops = 0; entry?.kind === 'link' && hops < 4; hops += 1) entry = entries.get(entry.target);
  if (entry?.kind !== 'file')
    throw new ArchiveError(`archive has no file ${JSON.stringify(name.slice(0, 120))}`);
  return entry;
}

type Parser<Value> = {
  Check: (value: unknown) => value is Value;
  Errors: (value: unknown) => { instancePath: string; message: string }[];
};

function parse<Value>(entries: ArchiveEntries, name: string, parser: Parser<Value>): Value {
  const { document } = file(entries, name);
  if (document === null) throw new ArchiveError(`${name} is no JSON document of at most 1 MiB`);
  let value: unknown;
  try {
    value = JSON.parse(document.toString('utf8'));
  } catch {
    throw new ArchiveError(`${name} is not valid JSON`);
  }
  if (parser.Check(value)) return value;
  const [first] = parser.Errors(value);
  throw new ArchiveError(`${name}${first === undefined ? '' : ` ${first.instancePath} ${first.message}`}`);
}
