// Reads the console log that conmon writes in the Kubernetes log format ("k8s-file"): each line is
// `<time> <stdout|stderr> <F|P> <text>`, where P marks a piece whose line goes on in the next one.
import { readText } from './place.ts';

const prefix = /^\S+ (?:stdout|stderr) ([FP]) /;

export function consoleText(log: string): string {
  let text = '';
  for (const line of log.split('\n')) {
    if (line === '') continue;
    const mark = prefix.exec(line);
    // After a rotation, or while conmon writes, the first and the last line may lack their head or tail.
    if (mark === null) continue;
    text += line.slice(mark[0].length) + (mark[1] === 'F' ? '\n' : '');
  }
  return text;
}

/** The last `lines` lines of `text`; null: all of it. */
export function lastLines(text: string, lines: number | null): string {
  if (lines === null) return text;
  if (lines <= 0) return '';
  const all = text.split('\n');
  const open = all.at(-1) === '' ? 1 : 0;
  return all.slice(Math.max(0, all.length - open - lines)).join('\n');
}

export async function readConsole(path: string, lines: number | null): Promise<string> {
  return lastLines(consoleText((await readText(path)) ?? ''), lines);
}
