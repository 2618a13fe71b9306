// Makes key pairs in the browser, so that the private key is never on the cloud nor on the wire.
import { openSshPair, type KeyPairText, type PrivateJwk } from './openssh.ts';

export const ALGORITHMS = ['ed25519', 'ecdsa', 'rsa'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

type Parameters = EcKeyGenParams | RsaHashedKeyGenParams | AlgorithmIdentifier;

/** RSA: 3072 bits, which NIST SP 800-57 holds to be enough beyond 2030; ssh-keygen's default too. */
const parameters: Readonly<Record<Algorithm, Parameters>> = {
  ed25519: { name: 'Ed25519' },
  ecdsa: { name: 'ECDSA', namedCurve: 'P-256' },
  rsa: {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 3072,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: 'SHA-256',
  },
};

/** Browsers offer it to pages that came over https, or from the same machine. */
export const canGenerate = (): boolean => (globalThis.crypto as Crypto | undefined)?.subtle !== undefined;

const newKey = (algorithm: Algorithm): Promise<CryptoKeyPair> =>
  crypto.subtle.generateKey(parameters[algorithm], true, ['sign', 'verify']) as Promise<CryptoKeyPair>;

/** Those that this browser makes, the best first. */
export async function algorithmsHere(): Promise<Algorithm[]> {
  if (!canGenerate()) return [];
  // Ed25519 came to the browsers between 2023 and 2025.
  const modern = await newKey('ed25519').then(
    () => true,
    () => false,
  );
  return ALGORITHMS.filter((algorithm) => modern || algorithm !== 'ed25519');
}

export async function generatePair(algorithm: Algorithm, comment: string): Promise<KeyPairText> {
  const { privateKey } = await newKey(algorithm);
  const jwk = (await crypto.subtle.exportKey('jwk', privateKey)) as PrivateJwk;
  const [check = 0] = crypto.getRandomValues(new Uint32Array(1));
  return openSshPair(jwk, comment, check);
}
