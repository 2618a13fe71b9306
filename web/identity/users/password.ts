// Passwords for others: made in the browser, said once.

// Without what is mistaken for something else when it is read out or typed off: 0 O, 1 l I.
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';
const LENGTH = 20;

/** 20 letters and digits of 57: 116 bits. */
export function makePassword(random: (bytes: Uint8Array) => Uint8Array): string {
  // Numbers that would prefer some letters are drawn again.
  const fair = 256 - (256 % LETTERS.length);
  let out = '';
  while (out.length < LENGTH)
    for (const byte of random(new Uint8Array(LENGTH)))
      if (byte < fair && out.length < LENGTH) out += LETTERS[byte % LETTERS.length];
  return out;
}
