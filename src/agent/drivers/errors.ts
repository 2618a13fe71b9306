// The one error type of host-side drivers: a public message that names the object, the value, the rule and
// the next step, and a detail for the log only (stderr, paths, command lines).
import { HOST_ERROR } from '../../protocol/link.ts';

export type DriverErrorCode =
  | 'unavailable' // a program or kernel feature is missing on this host
  | 'refused' // the desired body cannot be applied; repeating it will not help
  | 'no-space'
  | 'timeout'
  | 'failed'; // anything else; worth a retry

export class DriverError extends Error {
  readonly code: DriverErrorCode;
  readonly detail: string;

  constructor(code: DriverErrorCode, publicMessage: string, detail = '', cause?: unknown) {
    super(publicMessage, cause === undefined ? undefined : { cause });
    this.name = HOST_ERROR;
    this.code = code;
    this.detail = detail;
  }

  get retriable(): boolean {
    return this.code !== 'refused';
  }
}
