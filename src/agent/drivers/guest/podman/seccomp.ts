// The filter of system calls for containers that get volumes: the installed profile, without the ioctls of loop
// devices. With those, a tenant who may write to a loop device could take the volume off it, put another file in its
// place or have the host look for partitions in what the tenant wrote.
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';

const profileSchema = Compile(
  Type.Object({
    syscalls: Type.Array(
      Type.Object({
        names: Type.Array(Type.String()),
        action: Type.String(),
        args: Type.Optional(Type.Unknown()),
      }),
    ),
  }),
);

/** The type byte of every ioctl of loop devices (linux/loop.h: 0x4C00 and on). */
const loopType = 0x4c;

/**
 * An ioctl is allowed where one bit of its type byte is not that of loop devices: eight rules, of which any is enough,
 * because a rule for all of a call would outdo another against a part of it. null: the profile has not the known form.
 */
export function withoutLoopIoctls(profile: unknown): object | null {
  if (!profileSchema.Check(profile)) return null;
  const withIoctl = profile.syscalls.filter((rule) => rule.names.includes('ioctl'));
  const [only] = withIoctl;
  const plain = Array.isArray(only?.args) ? only.args.length === 0 : (only?.args ?? null) === null;
  if (only === undefined || withIoctl.length > 1 || only.action !== 'SCMP_ACT_ALLOW' || !plain) return null;
  const ioctls = Array.from({ length: 8 }, (_, bit) => {
    const mask = 1 << (8 + bit);
    return {
      names: ['ioctl'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 1, value: mask, valueTwo: ~(loopType << 8) & mask, op: 'SCMP_CMP_MASKED_EQ' }],
    };
  });
  return {
    ...profile,
    syscalls: [
      ...profile.syscalls.map((rule) =>
        rule === only ? { ...rule, names: rule.names.filter((name) => name !== 'ioctl') } : rule,
      ),
      ...ioctls,
    ],
  };
}
