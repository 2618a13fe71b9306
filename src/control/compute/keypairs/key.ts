// SSH public keys: parsing what users import, and making pairs for clients older than 2.92.
import { createHash, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { badRequest } from '../../../kernel/errors.ts';

/** The fields of a key blob after its type (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4, PROTOCOL.u2f). */
const fieldsOf: Readonly<Record<string, number>> = {
  'ssh-rsa': 2,
  'ssh-dss': 4,
  'ssh-ed25519': 1,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'sk-ssh-ed25519@openssh.com': 2,
  'sk-ecdsa-sha2-nistp256@openssh.com': 3,
};

/** The length-prefixed strings of an SSH blob; null when it is not one. */
function stringsOf(blob: Buffer): Buffer[] | null {
  const out: Buffer[] = [];
  let at = 0;
  while (at < blob.length) {
    if (at + 4 > blob.length) return null;
    const length = blob.readUInt32BE(at);
    if (at + 4 + length > blob.length) return null;
    out.push(blob.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return out;
}

/** MD5 with colons, as Nova shows it. */
const fingerprintOf = (blob: Buffer): string =>
  (createHash('md5').update(blob).digest('hex').match(/../g) ?? []).join(':');

/** Checks an OpenSSH public key line and returns it trimmed, with its fingerprint; 400 says what is wrong. */
export function parsePublicKey(text: string): { publicKey: string; fingerprint: string } {
  const refuse = (why: string) =>
    badRequest(`Keypair data is invalid: failed to generate fingerprint: public_key ${why}`);
  const publicKey = text.trim();
  // A second line would be a second key, or an option, in the guest's authorized_keys.
  if (/[\r\n]/.test(publicKey)) throw refuse('must be one line.');
  const [type = '', encoded = ''] = publicKey.split(/[ \t]+/);
  const fields = Object.hasOwn(fieldsOf, type) ? fieldsOf[type] : undefined;
  if (fields === undefined) throw refuse(`must start with one of ${Object.keys(fieldsOf).join(', ')}.`);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) throw refuse('has no base64 text after its type.');
  const blob = Buffer.from(encoded, 'base64');
  const parts = stringsOf(blob);
  if (parts === null || parts.length !== fields + 1 || parts[0]?.toString('latin1') !== type)
    throw refuse(`is not a complete ${type} key.`);
  return { publicKey, fingerprint: fingerprintOf(blob) };
}

const sshString = (bytes: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
/** A positive number: a leading zero byte keeps the sign bit clear. */
const sshNumber = (bytes: Buffer): Buffer =>
  sshString((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);

const generate = promisify(generateKeyPair);

/** A new RSA pair: public key as OpenSSH line, private key as PEM that every SSH client reads. Takes ~100 ms off the main thread. */
export async function newKeyPair(): Promise<{ publicKey: string; privateKey: string; fingerprint: string }> {
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: 2048 });
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const blob = Buffer.concat([
    sshString(Buffer.from('ssh-rsa')),
    sshNumber(Buffer.from(e, 'base64url')),
    sshNumber(Buffer.from(n, 'base64url')),
  ]);
  return {
    publicKey: `ssh-rsa ${blob.toString('base64')} Generated-by-Strata`,
    privateKey: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    fingerprint: fingerprintOf(blob),
  };
}
