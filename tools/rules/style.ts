// The rules of docs/develop that a parser can see: names, sizes, opening comments, forbidden syntax.
import type { Source, Violation } from './source.ts';

const maxLines = 400;

// Words that say nothing about what is behind them. `manager` alone is one of OpenStack's roles.
const emptyFileName = /(^|[-.])(utils?|helpers?|manager|impl)([-.]|$)/i;
const emptyIdentifier = /^(utils?|helpers?)$|[a-z0-9](Utils?|Helpers?|Manager|Impl)$/;

export const checkStyle = (source: Source): Violation[] => {
  const violations: Violation[] = [];
  const report = (line: number, rule: string, message: string): void => {
    violations.push({ file: source.path, line, rule, message });
  };

  for (const { message, line } of source.syntaxErrors) report(line, 'syntax', message);
  if (!source.opensWithComment)
    report(1, 'opening-comment', 'a file opens with a comment that says why it exists');
  if (source.lineCount > maxLines && !source.firstLines.some((line) => /\blines: *\S/.test(line))) {
    report(
      1,
      'length',
      `${source.lineCount} lines, at most ${maxLines} unless one of the first five says "lines: why"`,
    );
  }
  for (const part of source.path.split('/')) {
    if (emptyFileName.test(part))
      report(1, 'name', `"${part}" says nothing: name the file after what it holds`);
  }
  for (const { name, line } of source.declaredNames) {
    if (emptyIdentifier.test(name)) report(line, 'name', `"${name}" says nothing: name what it does`);
  }
  for (const { text, line } of source.untranslated)
    report(line, 'language', `"${text}" is not in the folder's texts: the console has two languages`);
  for (const { what, line } of source.forbiddenSyntax) report(line, 'syntax', `no ${what}`);
  return violations;
};
