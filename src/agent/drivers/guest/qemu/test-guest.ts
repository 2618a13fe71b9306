// A guest for tests that boots in milliseconds: one sector that prints a line to the first serial port and
// then halts, powers off when the power button is pressed, or powers off at once.

// enable the power button in PM1 (0x602); print the text at 0x47; then at each timer tick look at PM1
// status (0x600) and, if told, write "soft off" to PM1 control (0x604), where SeaBIOS puts them on q35
const sector =
  'ea057c000031c08ed88ed0bc007cfcba0206b80001efbe477cbaf803ac84c07403eeebf5fbf4ba0006edf6c401740e803e467c0074' +
  '07ba0406b80020ef803e467c0274f2ebdf';
const behaviours = { ignores: 0, 'obeys the power button': 1, 'powers off': 2 } as const;
const behaviourAt = 0x46;

export function testGuestDisk(text: string, behaviour: keyof typeof behaviours): Buffer {
  const disk = Buffer.alloc(1024 * 1024);
  disk.write(sector, 'hex');
  disk.writeUInt8(behaviours[behaviour], behaviourAt);
  disk.write(text.slice(0, 400), behaviourAt + 1, 'latin1');
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}
