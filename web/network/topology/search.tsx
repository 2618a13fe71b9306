// Finds anything in the topology by name, address or id.
import { Select } from 'antd';
import { useMemo, useState } from 'react';
import { useText } from '../../kit/language.tsx';
import { findable, matches, type Choice, type Found } from './choice.ts';
import { Glyph, type Kind } from './glyphs.tsx';
import type { Topology } from './model.ts';
import { topologyText } from './text.ts';

/** More are not read. */
const SHOWN = 50;

const glyphs: Readonly<Record<Found['kind'], Kind>> = {
  server: 'vm',
  network: 'network',
  router: 'router',
  floatingIp: 'floating',
};

export function Search({ topology, onFound }: { topology: Topology; onFound(choice: Choice): void }) {
  const t = useText(topologyText);
  const [text, setText] = useState('');
  const all = useMemo(() => findable(topology), [topology]);
  const options = useMemo(
    () =>
      all
        .filter((found) => matches(found, text))
        .slice(0, SHOWN)
        .map((found) => ({
          value: found.key,
          label: `${t[found.kind]} ${found.name} ${found.more}`,
          found,
        })),
    [all, text, t],
  );
  return (
    <Select
      className="topology-search"
      aria-label={t.search}
      placeholder={t.search}
      value={null}
      showSearch={{ filterOption: false, onSearch: setText, searchValue: text }}
      options={options}
      optionRender={({ data: { found } }) => (
        <span className="topology-line">
          <Glyph kind={glyphs[found.kind]} />
          <span className="topology-name">{found.name}</span>
          <span className="topology-sub">{found.more}</span>
        </span>
      )}
      onSelect={(_: unknown, { found }) => {
        setText('');
        onFound(found.choice);
      }}
    />
  );
}
