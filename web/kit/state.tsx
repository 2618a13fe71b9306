// How the states of OpenStack's resources look: one colour for one meaning, everywhere.
import { SyncOutlined } from '@ant-design/icons';
import { Tag } from 'antd';
import { toneOf, type Tone } from './tone.ts';

export { toneOf, type Tone };

const colours: Readonly<Record<Tone, string>> = {
  good: 'success',
  busy: 'processing',
  bad: 'error',
  warning: 'warning',
  idle: 'default',
};

/** The library's own are too pale on their grounds to be read by everybody (WCAG AA, 4.5:1); these turn with the theme. */
export const toneInk: Readonly<Record<Tone, string>> = {
  good: 'var(--ant-green-8)',
  busy: 'var(--ant-blue-7)',
  bad: 'var(--ant-red-7)',
  warning: 'var(--ant-gold-9)',
  idle: 'var(--ant-color-text)',
};

/** What a graph or a bar paints a state with, in both themes. */
export const toneColour: Readonly<Record<Tone, string>> = {
  good: '#389e0d',
  busy: '#1677ff',
  bad: '#cf1322',
  warning: '#d48806',
  idle: '#8c8c8c',
};

/** `children`: how the state is called, where that is not its name. */
export function StateTag({ state, children }: { state: string; children?: string }) {
  const tone = toneOf(state);
  return (
    <Tag
      color={colours[tone]}
      icon={tone === 'busy' ? <SyncOutlined spin aria-hidden /> : null}
      variant="filled"
      style={{ color: toneInk[tone] }}
    >
      {children ?? state}
    </Tag>
  );
}
