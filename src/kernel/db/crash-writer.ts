// A process for the crash test: writes rows with concurrent transactions and prints each that was acknowledged.
import { openSqlite } from './sqlite.ts';
import { migrate } from './index.ts';

const db = openSqlite({ file: process.argv[2] ?? '' });
await migrate(db, 1, []);
const writer = async (name: string): Promise<void> => {
  for (let at = 0; ; at++) {
    await db.tx((tx) =>
      tx
        .insertInto('counters')
        .values([
          { name: `${name}-${at}-a`, value: 1 },
          { name: `${name}-${at}-b`, value: 1 },
        ])
        .execute(),
    );
    process.stdout.write(`${name}-${at}\n`);
  }
};
for (let at = 0; at < 8; at++) void writer(`w${process.pid}x${at}`);
