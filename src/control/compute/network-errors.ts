// What the network service refuses, in the words of Nova's API.
import { badRequest, CloudError } from '../../kernel/errors.ts';

/** What Neutron calls a conflict (in use, the default group, a duplicate) is a bad request to Nova, and no quota is 403. */
export async function asNova<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof CloudError && error.status === 409 && error.code !== 'OverQuota')
      throw badRequest(error.publicMessage);
    if (error instanceof CloudError && error.code === 'OverQuota')
      throw new CloudError(403, 'OverQuota', error.publicMessage);
    throw error;
  }
}
