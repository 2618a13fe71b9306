// X.509 key pairs, with which Windows guests let their users in: importing a certificate, or making one.
import { X509Certificate } from 'node:crypto';
import { badRequest } from '../../../kernel/errors.ts';
import { run } from '../../../kernel/run.ts';

const BEGIN = '-----BEGIN CERTIFICATE-----';

/** What a stored public key is: guests are told with it. */
export const typeOfKey = (publicKey: string): 'ssh' | 'x509' =>
  publicKey.startsWith(BEGIN) ? 'x509' : 'ssh';

const fingerprintOf = (certificate: X509Certificate): string => certificate.fingerprint.toLowerCase();

/** Checks one certificate in PEM and returns it trimmed, with its SHA-1 fingerprint. */
export function parseCertificate(text: string): { publicKey: string; fingerprint: string } {
  const publicKey = text.trim();
  try {
    if (!publicKey.startsWith(BEGIN) || publicKey.indexOf(BEGIN, 1) !== -1)
      throw new Error('not one PEM block');
    return { publicKey, fingerprint: fingerprintOf(new X509Certificate(publicKey)) };
  } catch {
    throw badRequest(
      'Keypair data is invalid: failed to generate fingerprint: public_key must be one X.509 certificate in PEM.',
    );
  }
}

/** A new RSA key with a self-signed certificate for logging in (extended key usage clientAuth), valid for ten years. */
export async function newCertificate(
  userId: string,
): Promise<{ publicKey: string; privateKey: string; fingerprint: string }> {
  // Ids of users are letters, digits and dashes; whatever else one held would not be part of a subject.
  const name = userId.replace(/[^A-Za-z0-9-]/g, '').slice(0, 64);
  const { stdout } = await run([
    'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3650', '-subj', `/CN=${name}`,
    '-addext', 'extendedKeyUsage=clientAuth', '-addext', `subjectAltName=otherName:1.3.6.1.4.1.311.20.2.3;UTF8:${name}@localhost`,
    '-keyout', '-',
  ]); // prettier-ignore
  const at = stdout.indexOf(BEGIN);
  const publicKey = stdout.slice(at);
  return {
    publicKey,
    privateKey: stdout.slice(0, at),
    fingerprint: fingerprintOf(new X509Certificate(publicKey)),
  };
}
