// The parser of the documentation's commands, by itself.
import { expect, it } from 'vitest';
import { consoleCommands, missingIn } from './console-blocks.ts';

const page = [
  '# Title',
  'text',
  '```console',
  '$ one \\',
  '  more',
  'prints  this',
  '$ two',
  '```',
  '## Next',
  '```sh',
  '$ not me',
  '```',
  '```console',
  '$ three',
  '```',
].join('\n');

it('finds commands, the lines they go on over, and what they print', () => {
  expect(consoleCommands(page)).toEqual([
    { line: 4, heading: 'Title', text: 'one \\\n  more', shows: ['prints  this'] },
    { line: 7, heading: 'Title', text: 'two', shows: [] },
    { line: 14, heading: 'Next', text: 'three', shows: [] },
  ]);
});

it('says which line is missing', () => {
  expect(missingIn('a   b\nc', ['a b', 'c'])).toBeNull();
  expect(missingIn('a b', ['ACTIVE'])).toBe('ACTIVE');
});
