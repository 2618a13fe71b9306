// Records of backups that leave the database, so that backups survive its loss.
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { badRequest } from '../../../kernel/errors.ts';
import { prose, text } from '../../../kernel/schema.ts';
import { MAX_SIZE_GIB } from '../volumes/backend.ts';
import { isContainer, isKey } from './objects.ts';
import type { BackupRow } from './table.ts';

const uuid = Type.String({ pattern: '^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$' });
const orNull = (schema: ReturnType<typeof Type.String>) => Type.Union([schema, Type.Null()]);
const map = Type.String({ maxLength: 65_536 });
const Record = Type.Object({
  id: uuid,
  name: orNull(text(255)),
  description: orNull(prose(255)),
  volume_id: uuid,
  container: Type.String({ maxLength: 128 }),
  prefix: Type.String({ maxLength: 512 }),
  zone: orNull(text(255)),
  size_gib: Type.Integer({ minimum: 1, maximum: MAX_SIZE_GIB }),
  parent_id: orNull(uuid),
  metadata: map,
  facts: map,
  data_at: Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 }),
  object_count: Type.Integer({ minimum: 0, maximum: 2_147_483_647 }),
  manifest: Type.String({ pattern: '^[0-9a-f]{64}$' }),
});
const Facts = Compile(
  Type.Object({
    name: orNull(text(255)),
    typeId: text(255),
    bootable: Type.Boolean(),
    metadata: map,
    imageMetadata: map,
  }),
);
const check = Compile(Record);
const keys = Object.keys(Record.properties) as (keyof typeof Record.properties)[];

export const exportRecord = (row: BackupRow): string =>
  Buffer.from(JSON.stringify(Object.fromEntries(keys.map((key) => [key, row[key]])))).toString('base64');

const isMap = (json: string): boolean => {
  const value: unknown = JSON.parse(json);
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((one) => typeof one === 'string')
  );
};

/** 400 for what is not a record. */
export function parseRecord(
  encoded: string,
): Parameters<typeof exportRecord>[0] extends infer R
  ? Pick<R & BackupRow, keyof typeof Record.properties>
  : never {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
    if (check.Check(value) && isContainer(value.container) && isKey(value.prefix) && isMap(value.metadata)) {
      const facts: unknown = JSON.parse(value.facts);
      if (Facts.Check(facts) && isMap(facts.metadata) && isMap(facts.imageMetadata)) return value;
    }
  } catch {
    // said below
  }
  throw badRequest(
    "Invalid input for field/attribute backup_url. It is not what GET backups/{id}/export_record answered as 'backup_url'.",
  );
}
