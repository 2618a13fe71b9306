// Turns what went wrong underneath into a DriverError: what to install, what to free, what to repeat.
import { RunError } from '../../../../kernel/run.ts';
import { DriverError } from '../../errors.ts';

/** The Debian and Ubuntu package of each program that this driver runs. */
const packageOf: Record<string, string> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  prlimit: 'util-linux',
  setpriv: 'util-linux',
  nsenter: 'util-linux',
};

export function missingProgram(program: string): DriverError {
  const from = packageOf[program];
  return new DriverError(
    'unavailable',
    `the program ${program} is missing on this host${from === undefined ? '' : `; install the Debian package ${from}`}`,
  );
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** `what` names the object and the operation, e.g. "the root disk of server 1234 cannot be created". */
export function explain(error: unknown, what: string): DriverError {
  if (error instanceof DriverError) return error;
  const text = error instanceof RunError ? error.stderr : String(error);
  if (
    codeOf(error) === 'ENOSPC' ||
    codeOf(error) === 'EDQUOT' ||
    /No space left on device|Disk quota exceeded/.test(text)
  ) {
    return new DriverError(
      'no-space',
      `${what}: the disk of this host is full; free space or delete servers`,
      text,
      error,
    );
  }
  if (error instanceof RunError) {
    if (error.reason === 'missing') return missingProgram(String(error.command[0]));
    const behindLimits = /prlimit: failed to execute (\S+): No such file/.exec(text);
    if (behindLimits?.[1] !== undefined) return missingProgram(behindLimits[1]);
    if (error.reason === 'timeout')
      return new DriverError('timeout', `${what}: it took too long`, text, error);
  }
  return new DriverError('failed', what, error instanceof RunError ? error.message : text, error);
}
