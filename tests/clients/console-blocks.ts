// The ```console blocks of a page of docs: what a reader types (after `$ `, with `\` for more lines) and what it prints.

export type Command = {
  /** 1-based. */
  line: number;
  heading: string;
  text: string;
  /** Lines that its output contains, in this order; white space counts as one blank. */
  shows: string[];
};

export function consoleCommands(markdown: string): Command[] {
  const found: Command[] = [];
  let heading = '';
  let inside = false;
  let continued = false;
  for (const [index, line] of markdown.split('\n').entries()) {
    if (line.startsWith('```')) {
      inside = line === '```console';
      continued = false;
    } else if (!inside) {
      if (line.startsWith('#')) heading = line.replace(/^#+\s*/, '');
    } else if (line.startsWith('$ ')) {
      found.push({ line: index + 1, heading, text: line.slice(2), shows: [] });
      continued = line.endsWith('\\');
    } else if (continued) {
      const last = found.at(-1);
      if (last !== undefined) last.text += `\n${line}`;
      continued = line.endsWith('\\');
    } else if (line !== '') found.at(-1)?.shows.push(line);
  }
  return found;
}

const plain = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

/** The first line that the output lacks, or null. */
export function missingIn(output: string, shows: readonly string[]): string | null {
  const lines = output.split('\n').map(plain);
  for (const wanted of shows) if (!lines.some((line) => line.includes(plain(wanted)))) return wanted;
  return null;
}
