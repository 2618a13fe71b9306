// What the drawings mean.
import { Panel } from '@xyflow/react';
import { useText } from '../../kit/language.tsx';
import { Glyph, Mark, type Kind } from './glyphs.tsx';
import { tones } from './model.ts';
import { topologyText } from './text.ts';

export function Legend() {
  const t = useText(topologyText);
  const kinds: readonly (readonly [Kind, string])[] = [
    ['external', t.external],
    ['router', t.router],
    ['network', t.network],
    ['vm', t.vm],
    ['container', t.container],
    ['floating', t.floatingIp],
  ];
  return (
    <Panel position="bottom-left" className="topology-legend">
      <details>
        <summary>{t.legend}</summary>
        <ul>
          {kinds.map(([kind, name]) => (
            <li key={kind}>
              <Glyph kind={kind} />
              {name}
            </li>
          ))}
          {tones.map((tone) => (
            <li key={tone} data-tone={tone}>
              <Mark tone={tone} />
              {t.tones[tone]}
            </li>
          ))}
        </ul>
        <div style={{ marginTop: 6 }}>{t.collapsedHint}</div>
      </details>
    </Panel>
  );
}
