// Looks at what a user is about to import as a public key, before it is sent anywhere.

export type Reading =
  | { ok: true; type: 'ssh' | 'x509'; text: string; comment: string }
  | { ok: false; why: 'empty' | 'private' | 'lines' | 'kind' | 'damaged' };

const KINDS: readonly string[] = [
  'ssh-ed25519',
  'ssh-rsa',
  'ssh-dss',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
];

export function readPublicKey(input: string): Reading {
  const text = input.trim();
  if (text === '') return { ok: false, why: 'empty' };
  if (/PRIVATE KEY|PuTTY-User-Key-File/.test(text)) return { ok: false, why: 'private' };
  if (text.startsWith('-----BEGIN CERTIFICATE-----')) return { ok: true, type: 'x509', text, comment: '' };
  if (/[\r\n]/.test(text)) return { ok: false, why: 'lines' };
  const [kind = '', blob = '', ...comment] = text.split(/[ \t]+/);
  if (!KINDS.includes(kind)) return { ok: false, why: 'kind' };
  // The blob begins with the name of its kind, as a length of four bytes and as many characters.
  const head = /^[A-Za-z0-9+/]+={0,2}$/.test(blob) && blob.length % 4 === 0 ? atob(blob) : '';
  if (head.slice(4, 4 + kind.length) !== kind) return { ok: false, why: 'damaged' };
  return { ok: true, type: 'ssh', text, comment: comment.join(' ') };
}

/** As the compute API takes it: letters, digits, spaces and _ - @ . only. */
export const NAME = /^[a-zA-Z0-9 _@.-]{1,255}$/;

/** A name for the key, of what its user called it. */
export const nameFrom = (comment: string): string => comment.replace(/[^a-zA-Z0-9 _@.-]/g, '-').slice(0, 255);

/** What the private key's file is called. */
export const fileNameOf = (name: string): string => `${name.replace(/[^a-zA-Z0-9_.-]+/g, '-')}.pem`;
