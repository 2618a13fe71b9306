// `rotate-keys`: a new key for tokens before its time, for example when somebody who could read the old one has left.
import { join, resolve } from 'node:path';
import { readSettings, rotateSigningKeys } from '../control/identity/index.ts';
import { systemClock } from '../kernel/clock.ts';
import { readCloudFile, UsageError } from './data-dir.ts';

export async function rotateKeys(dir: string): Promise<void> {
  const dataDir = resolve(dir);
  if ((await readCloudFile(dataDir)) === null)
    throw new UsageError(`${dataDir} is not the data dir of a cloud.`);
  const { tokenTtlSeconds } = readSettings(join(dataDir, 'identity.yaml'));
  rotateSigningKeys(join(dataDir, 'keys'), systemClock, tokenTtlSeconds);
  process.stdout.write(
    'A new key signs the tokens within two minutes; tokens of the old ones end as they would have.\n',
  );
}
