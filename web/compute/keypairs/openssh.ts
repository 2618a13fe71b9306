// Keys as OpenSSH writes them. The public line is RFC 4253 6.6 (RSA), RFC 5656 3.1 (ECDSA) and RFC 8709 4 (Ed25519);
// the private file is "openssh-key-v1" of OpenSSH's PROTOCOL.key, without a passphrase.

/** What WebCrypto exports of a private key, as RFC 7518 6 and RFC 8037 have it. */
export type PrivateJwk = Pick<JsonWebKey, 'kty' | 'crv' | 'x' | 'y' | 'd' | 'n' | 'e' | 'p' | 'q' | 'qi'>;

export type KeyPairText = {
  /** One line, as in authorized_keys. */
  publicKey: string;
  /** PEM. */
  privateKey: string;
};

const CURVES: Readonly<Record<string, string>> = {
  'P-256': 'nistp256',
  'P-384': 'nistp384',
  'P-521': 'nistp521',
};
/** The cipher is none, so that only this is padded to. */
const BLOCK = 8;
const PEM_WIDTH = 70;

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** RFC 4251 5: a length and as many bytes. */
const string = (content: Uint8Array | string): Uint8Array => {
  const bytes = typeof content === 'string' ? ascii(content) : content;
  return concat([uint32(bytes.length), bytes]);
};

/** RFC 4251 5: a positive number without needless zeros, and with one where its first bit would read as a sign. */
function mpint(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first === -1 ? new Uint8Array() : bytes.subarray(first);
  return string((digits[0] ?? 0) >= 0x80 ? concat([new Uint8Array(1), digits]) : digits);
}

function fromBase64Url(text: string | undefined, what: string): Uint8Array {
  if (text === undefined) throw new Error(`The key has no ${what}.`);
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
}

export const toBase64 = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));

/** The parts of a key after the name of its type: what is public, and what the private file has. */
function partsOf(jwk: PrivateJwk): { type: string; open: Uint8Array[]; secret: Uint8Array[] } {
  const part = (name: keyof PrivateJwk): Uint8Array => fromBase64Url(jwk[name], name);
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') {
    const open = part('x');
    return {
      type: 'ssh-ed25519',
      open: [string(open)],
      secret: [string(open), string(concat([part('d'), open]))],
    };
  }
  const curve = CURVES[jwk.crv ?? ''];
  if (jwk.kty === 'EC' && curve !== undefined) {
    // SEC 1 2.3.3: an uncompressed point.
    const point = concat([Uint8Array.of(4), part('x'), part('y')]);
    const open = [string(curve), string(point)];
    return { type: `ecdsa-sha2-${curve}`, open, secret: [...open, mpint(part('d'))] };
  }
  if (jwk.kty === 'RSA') {
    const [n, e] = [mpint(part('n')), mpint(part('e'))];
    const secret = [n, e, mpint(part('d')), mpint(part('qi')), mpint(part('p')), mpint(part('q'))];
    return { type: 'ssh-rsa', open: [e, n], secret };
  }
  throw new Error(`There is no OpenSSH key of kind ${jwk.kty ?? ''} ${jwk.crv ?? ''}.`);
}

/** `check`: any 32 bits, written twice, by which OpenSSH sees that it read the private part rightly. */
export function openSshPair(jwk: PrivateJwk, comment: string, check: number): KeyPairText {
  const { type, open, secret } = partsOf(jwk);
  const blob = concat([string(type), ...open]);
  const inner = concat([uint32(check), uint32(check), string(type), ...secret, string(comment)]);
  const padding = Uint8Array.from({ length: (BLOCK - (inner.length % BLOCK)) % BLOCK }, (_, at) => at + 1);
  const file = concat([
    ascii('openssh-key-v1\0'),
    string('none'),
    string('none'),
    string(''),
    uint32(1),
    string(blob),
    string(concat([inner, padding])),
  ]);
  const lines = toBase64(file).match(new RegExp(`.{1,${PEM_WIDTH}}`, 'g')) ?? [];
  return {
    publicKey: `${type} ${toBase64(blob)} ${comment}`,
    privateKey: [
      '-----BEGIN OPENSSH PRIVATE KEY-----',
      ...lines,
      '-----END OPENSSH PRIVATE KEY-----',
      '',
    ].join('\n'),
  };
}
