// What the user is told when a program of the network driver is missing, hangs, or finds no space.
import { expect, test } from 'vitest';
import { run, RunError } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';
import { driverError } from './commands.ts';

const failing = (program: string, reason: RunError['reason'], exitCode: number | null, stderr: string) =>
  driverError('Adding port 7', program, new RunError([program], reason, exitCode, '', stderr));

test('a program that is really not there is named with its Debian package', async () => {
  const error = await run(['dnsmasq-that-nobody-has']).catch((thrown: unknown) => thrown);
  expect(driverError('Serving DHCP', 'dnsmasq', error)).toMatchObject({
    code: 'unavailable',
    message: 'The program "dnsmasq" is missing on this host: install the Debian package dnsmasq-base.',
  });
});

test('a program that cannot be started in a namespace is missing too', () => {
  expect(failing('nft', 'exit', 127, 'env: ‘nft’: No such file or directory\n')).toMatchObject({
    code: 'unavailable',
  });
});

test('no space, a time limit and a refusal are told apart, and only the log sees what the program said', () => {
  expect(failing('tee', 'exit', 1, 'tee: x: No space left on device')).toMatchObject({ code: 'no-space' });
  expect(failing('ip', 'timeout', null, '')).toMatchObject({ code: 'timeout' });
  const refused = failing('nft', 'exit', 1, 'Error: /secret/path: syntax error');
  expect(refused.code).toBe('failed');
  expect(refused.message).toBe('Adding port 7: the kernel did not accept it.');
  expect(refused.detail).toContain('/secret/path');
});

test('what already is a DriverError stays as it is', () => {
  const error = new DriverError('refused', 'no');
  expect(driverError('x', 'ip', error)).toBe(error);
});
