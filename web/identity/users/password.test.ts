// Passwords that are made for others.
import { expect, it } from 'vitest';
import { makePassword } from './password.ts';

it('makes passwords of 20 letters and digits that nobody mixes up, and no letter is preferred', () => {
  const counts = new Map<string, number>();
  let next = 0;
  const everyByte = (bytes: Uint8Array): Uint8Array => bytes.map(() => next++ % 256);
  for (let times = 0; times < 57; times += 1) {
    const password = makePassword(everyByte);
    expect(password).toMatch(/^[A-HJ-NP-Za-km-z2-9]{20}$/);
    for (const letter of password) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  expect(counts.size).toBe(57);
  expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(4);
});
