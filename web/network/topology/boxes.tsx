// The boxes of the topology: networks with their servers, routers, and the frames of projects. From afar servers are
// only marks; near by each is a button.
import { Handle, Position, useReactFlow, useStore, type NodeProps } from '@xyflow/react';
import { createContext, memo, use, type MouseEvent } from 'react';
import { nameIn, statesText } from '../../compute/servers/states-text.ts';
import { useText } from '../../kit/language.tsx';
import type { Tone } from '../../kit/tone.ts';
import { networkText } from '../text.ts';
import { MAX_CHIPS, TILE, tileAt, type Drawn } from './arrangement.ts';
import type { Choice } from './choice.ts';
import type { AfarNode, BoxNode, ProjectNode } from './elements.ts';
import { Glyph, Mark, type Kind } from './glyphs.tsx';
import { markPath } from './marks.ts';
import { countTones, tones, type Box, type NetworkBox, type ServerItem } from './model.ts';
import { topologyText } from './text.ts';

/** What a click does; stable, so that nothing is drawn anew for it. */
export const TopologyActions = createContext<{ choose(choice: Choice): void; toggle(boxId: string): void }>({
  choose() {},
  toggle() {},
});
export const ChosenContext = createContext<Choice | null>(null);
/** Names of networks, for routers that lead to one. */
export const NetworkNames = createContext<ReadonlyMap<string, string>>(new Map());

/** From this zoom on, what is written on a server can be read. */
const NEAR = 0.45;
/** Below this zoom nothing that is written on a box can be read. */
export const FAR = 0.18;

const Handles = () => (
  <>
    <Handle type="target" position={Position.Top} isConnectable={false} />
    <Handle type="source" position={Position.Bottom} isConnectable={false} />
  </>
);

const Tile = memo(function Tile({
  server,
  boxId,
  x,
  y,
  chosen,
}: {
  server: ServerItem;
  boxId: string;
  x: number;
  y: number;
  chosen: boolean;
}) {
  const { statuses } = useText(statesText);
  const t = useText(topologyText);
  const { choose } = use(TopologyActions);
  const [floating] = server.floatingIps;
  return (
    <button
      type="button"
      className="topology-tile"
      data-tone={server.tone}
      data-chosen={chosen}
      style={{ left: x, top: y }}
      title={server.name}
      onClick={() => choose({ boxId, serverId: server.id })}
    >
      <span className="topology-line">
        <Glyph kind={server.type ?? 'vm'} />
        <span className="topology-name">{server.name}</span>
      </span>
      <span className="topology-line topology-sub">
        <Mark tone={server.tone} />
        {nameIn(statuses, server.status)}
        <span className="topology-name" style={{ fontWeight: 400 }}>
          {floating === undefined ? server.addresses[0] : `${t.floatingIp} ${floating.address}`}
        </span>
      </span>
    </button>
  );
});

/** All servers of one tone are one path: thousands of elements would be slow to move. */
function Marks({
  drawn,
  servers,
  chosenId,
}: {
  drawn: Drawn;
  servers: readonly ServerItem[];
  chosenId?: string | undefined;
}) {
  const centre = (index: number): { x: number; y: number } => {
    const { x, y } = tileAt(drawn, index);
    return { x: x + TILE.width / 2, y: y + TILE.height / 2 };
  };
  const paths = new Map<Tone, string>();
  for (const [index, { tone }] of servers.entries()) {
    const { x, y } = centre(index);
    paths.set(tone, (paths.get(tone) ?? '') + markPath(tone, x, y, 19));
  }
  const chosen = servers.findIndex(({ id }) => id === chosenId);
  const at = chosen === -1 ? null : tileAt(drawn, chosen);
  return (
    <svg className="topology-marks" width={drawn.width} height={drawn.height} aria-hidden>
      {tones.map((tone) => {
        const path = paths.get(tone);
        return path === undefined ? null : <path key={tone} data-tone={tone} d={path} />;
      })}
      {at === null ? null : <rect x={at.x} y={at.y} width={TILE.width} height={TILE.height} rx={6} />}
    </svg>
  );
}

/** "48 running, 2 in error" with the marks of these states. */
export function Counts({ servers }: { servers: readonly ServerItem[] }) {
  const t = useText(topologyText);
  return countTones(servers).map(({ tone, count }) => (
    <span key={tone} className="topology-line">
      <Mark tone={tone} />
      {`${count} ${t.tonesOf[tone]}`}
    </span>
  ));
}

/** What can be told of many servers from afar: how many, and the worst state among them. */
function Worst({ servers }: { servers: readonly ServerItem[] }) {
  const [worst] = countTones(servers);
  return (
    <span className="topology-line" aria-hidden>
      {worst === undefined ? null : <Mark tone={worst.tone} size={40} />}
      {servers.length}
    </span>
  );
}

function Servers({ drawn, servers }: { drawn: Drawn; servers: readonly ServerItem[] }) {
  const near = useStore(({ transform }) => transform[2] >= NEAR);
  const chosen = use(ChosenContext)?.serverId;
  if (drawn.collapsed)
    return (
      <div className={near ? 'topology-counts' : 'topology-counts far'}>
        {near ? <Counts servers={servers} /> : <Worst servers={servers} />}
      </div>
    );
  if (drawn.columns === 0) return null;
  if (!near) return <Marks drawn={drawn} servers={servers} chosenId={chosen} />;
  return servers.map((server, index) => (
    <Tile
      key={server.id}
      server={server}
      boxId={drawn.box.id}
      {...tileAt(drawn, index)}
      chosen={server.id === chosen}
    />
  ));
}

function FreeFloatingIps({ box }: { box: NetworkBox }) {
  const t = useText(topologyText);
  const { choose } = use(TopologyActions);
  if (box.floatingIps.length === 0) return null;
  const rest = box.floatingIps.length - MAX_CHIPS;
  return (
    <div className="topology-chips" role="group" aria-label={t.freeFloatingIps}>
      {box.floatingIps.slice(0, MAX_CHIPS).map((item) => (
        <button
          key={item.id}
          type="button"
          className="topology-chip"
          title={item.address}
          onClick={() => choose({ boxId: box.id, floatingIpId: item.id })}
        >
          <Glyph kind="floating" />
          {item.address}
          <span className="topology-sub">{item.forwardings === 0 ? t.free : `⇄ ${item.forwardings}`}</span>
        </button>
      ))}
      {rest > 0 ? <span>{t.more(rest)}</span> : null}
    </div>
  );
}

export const kindOf = (box: Box): Kind =>
  box.kind === 'network' ? (box.external ? 'external' : 'network') : box.kind;

export function useBoxName(): (box: Box) => string {
  const t = useText(topologyText);
  return (box) => (box.kind === 'loose' ? t.loose : box.name === '' ? box.id.slice(0, 8) : box.name);
}

function Subtitle({ box }: { box: Box }) {
  const t = useText(topologyText);
  const names = use(NetworkNames);
  if (box.kind === 'router')
    return box.gateway === null
      ? t.nowhere
      : `→ ${names.get(box.gateway.networkId) ?? t.external} ${box.gateway.addresses[0] ?? ''}`;
  const parts = box.kind === 'network' ? [...box.cidrs] : [];
  if (box.servers.length > 0) parts.push(t.servers(box.servers.length));
  return parts.join(' · ');
}

function Head({ drawn }: { drawn: Drawn }) {
  const t = useText(topologyText);
  const { states } = useText(networkText);
  const nameOf = useBoxName();
  const { choose, toggle } = use(TopologyActions);
  const { box } = drawn;
  const name = nameOf(box);
  const state = states[box.status as keyof typeof states] ?? box.status;
  return (
    <>
      <div className="topology-head">
        <button type="button" onClick={() => choose({ boxId: box.id })} title={name}>
          <span className="topology-line">
            <Glyph kind={kindOf(box)} />
            <span className="topology-name">{name}</span>
            {box.kind === 'loose' ? null : (
              <>
                <Mark tone={box.tone} />
                <span className="topology-sub">{state}</span>
              </>
            )}
          </span>
          <span className="topology-line topology-sub">
            <Subtitle box={box} />
          </span>
        </button>
        {box.kind === 'router' || box.servers.length === 0 ? null : (
          <button
            type="button"
            className="topology-toggle"
            aria-expanded={!drawn.collapsed}
            aria-label={drawn.collapsed ? t.expand(name) : t.collapse(name)}
            title={drawn.collapsed ? t.expand(name) : t.collapse(name)}
            onClick={() => toggle(box.id)}
          >
            {drawn.collapsed ? '+' : '−'}
          </button>
        )}
      </div>
      {box.kind === 'network' ? <FreeFloatingIps box={box} /> : null}
    </>
  );
}

const BoxView = memo(function BoxView({ data: { drawn } }: NodeProps<BoxNode>) {
  const nameOf = useBoxName();
  const chosen = use(ChosenContext);
  const far = useStore(({ transform }) => transform[2] < FAR);
  const { box } = drawn;
  const name = nameOf(box);
  const servers = box.kind === 'router' ? [] : box.servers;
  return (
    <div
      className="topology-box"
      role="group"
      aria-label={name}
      data-kind={kindOf(box)}
      data-tone={box.tone}
      data-chosen={chosen?.boxId === box.id && chosen.serverId === undefined}
    >
      <Handles />
      {far ? null : <Head drawn={drawn} />}
      <Servers drawn={drawn} servers={servers} />
    </div>
  );
});

const ProjectView = memo(function ProjectView({ data }: NodeProps<ProjectNode>) {
  const near = useStore(({ transform }) => transform[2] >= NEAR);
  return <div className={near ? 'topology-project' : 'topology-project far'}>{data.name}</div>;
});

/** A click goes there. */
const AfarView = memo(function AfarView({ data: { name, frame, afar, servers } }: NodeProps<AfarNode>) {
  const t = useText(topologyText);
  const flow = useReactFlow();
  const goTo = ({ clientX: x, clientY: y }: MouseEvent): void => {
    if (name !== null) return void flow.fitBounds(frame, { padding: 0.05, duration: 300 });
    // It fills the window already.
    const point = flow.screenToFlowPosition({ x, y });
    void flow.setCenter(point.x, point.y, { zoom: NEAR, duration: 300 });
  };
  const counts = countTones(servers).map(({ tone, count }) => `${count} ${t.tonesOf[tone]}`);
  return (
    <button
      type="button"
      className={name === null ? 'topology-afar' : 'topology-afar framed'}
      aria-label={[t.goTo(name ?? t.title), ...counts].join(', ')}
      onClick={goTo}
    >
      <svg className="topology-marks" width={frame.width} height={frame.height} aria-hidden>
        <path className="box" d={afar.boxes} />
        <path className="router" d={afar.routers} />
        {tones.map((tone) => {
          const path = afar.marks.get(tone);
          return path === undefined ? null : <path key={tone} data-tone={tone} d={path} />;
        })}
        {afar.numbers.map(({ key, at, count }) => (
          <text key={key} x={at.x} y={at.y}>
            {count}
          </text>
        ))}
      </svg>
      {name}
    </button>
  );
});

export const nodeTypes = { box: BoxView, project: ProjectView, afar: AfarView };
