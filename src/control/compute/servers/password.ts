// The password that Nova answers with.
import { randomBytes } from 'node:crypto';

/** No guest agent sets it: log in with a key pair or by user data. */
export const newPassword = (): string => randomBytes(9).toString('base64url');
