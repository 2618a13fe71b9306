// What the QoS specs of a volume type limit in the hypervisor: Cinder's "front-end" keys, as Nova knows them.
import { badRequest } from '../../../kernel/errors.ts';
import { IO_LIMITS, type IoLimits } from '../../../protocol/items.ts';
import { mapOf } from '../volumes/store.ts';
import type { Db } from '../volumes/table.ts';

const MOST = 1_000_000_000_000_000;

/** 400 for front-end limits that no hypervisor takes. Other keys are for somebody else. */
export function checkLimits(consumer: string, specs: Readonly<Record<string, string>>): void {
  if (consumer === 'back-end') return;
  for (const name of IO_LIMITS) {
    const value = specs[name];
    if (value !== undefined && !(/^[0-9]{1,16}$/.test(value) && Number(value) <= MOST))
      throw badRequest(
        `Invalid input for field/attribute ${name}. Value: ${value}. It must be a whole number, 0 (no limit) to ${MOST}.`,
      );
  }
  const set = (name: string): boolean => Number(specs[name] ?? 0) > 0;
  for (const unit of ['bytes_sec', 'iops_sec', 'bytes_sec_max', 'iops_sec_max'])
    if (set(`total_${unit}`) && (set(`read_${unit}`) || set(`write_${unit}`)))
      throw badRequest(
        `Invalid input for field/attribute total_${unit}. Value: ${specs[`total_${unit}`]}. A limit of the total goes without limits of reads or writes.`,
      );
  for (const kind of ['total', 'read', 'write'])
    for (const unit of ['bytes_sec', 'iops_sec']) {
      const [base, burst] = [
        Number(specs[`${kind}_${unit}`] ?? 0),
        Number(specs[`${kind}_${unit}_max`] ?? 0),
      ];
      if (burst > 0 && (base === 0 || burst < base))
        throw badRequest(
          `Invalid input for field/attribute ${kind}_${unit}_max. Value: ${burst}. It must be at least ${kind}_${unit}, which must be set.`,
        );
    }
}

export async function limitsOf(db: Db, typeId: string): Promise<IoLimits> {
  const qos = await db
    .selectFrom('volume_qos')
    .innerJoin('volume_types', 'volume_types.qos_id', 'volume_qos.id')
    .select(['volume_qos.consumer', 'volume_qos.specs'])
    .where('volume_types.id', '=', typeId)
    .executeTakeFirst();
  if (qos === undefined || qos.consumer === 'back-end') return {};
  const specs = mapOf(qos.specs);
  return Object.fromEntries(
    IO_LIMITS.flatMap((name) => {
      const value = Number(specs[name] ?? 0);
      return Number.isSafeInteger(value) && value > 0 ? [[name, value]] : [];
    }),
  );
}
