// Passwords: stored so that nobody reads them, checked without giving anything away.
import { describe, expect, it } from 'vitest';
import { createPasswords } from './password-hash.ts';

describe('a password', () => {
  it('verifies against its own hash only, which carries its parameters and a salt', async () => {
    const passwords = createPasswords(4);
    const [one, two] = [await passwords.hash('secret'), await passwords.hash('secret')];
    expect(one).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$[\w-]{22}\$[\w-]{43}$/);
    expect(one).not.toBe(two);
    expect(await passwords.verify('secret', one)).toBe(true);
    expect(await passwords.verify('Secret', one)).toBe(false);
    expect(await passwords.verify('', one)).toBe(false);
    expect(await createPasswords(5).verify('secret', one), 'old parameters still verify').toBe(true);
  });

  it('never fits nobody, and nobody takes as long as somebody', async () => {
    const passwords = createPasswords(13);
    const stored = await passwords.hash('secret');
    const time = async (hash: string | null): Promise<number> => {
      const start = performance.now();
      for (let i = 0; i < 5; i++) expect(await passwords.verify('wrong', hash)).toBe(false);
      return performance.now() - start;
    };
    const [known, unknown] = [await time(stored), await time(null)];
    expect(unknown / known).toBeGreaterThan(0.2);
    expect(unknown / known).toBeLessThan(5);
  });

  it('waits its turn, and a flood beyond the queue is told to come back', async () => {
    const passwords = createPasswords(10, 1, 3);
    const answers = await Promise.allSettled(Array.from({ length: 10 }, () => passwords.hash('x')));
    expect(answers.filter((answer) => answer.status === 'fulfilled')).toHaveLength(4);
    for (const answer of answers)
      if (answer.status === 'rejected')
        expect(answer.reason).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    await expect(passwords.hash('x'), 'the place is free again').resolves.toMatch(/^\$scrypt/);
  });
});
