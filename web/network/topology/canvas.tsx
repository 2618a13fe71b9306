// The canvas of the topology: what is placed where, moved by mouse, fingers or keys.
import {
  ReactFlow,
  MiniMap,
  Panel,
  Position,
  getViewportForBounds,
  useReactFlow,
  useStore,
  useStoreApi,
  type Node,
  type NodeHandle,
  type OnMove,
} from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import { FullscreenOutlined, MinusOutlined, PlusOutlined } from '@ant-design/icons';
import { Button } from 'antd';
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import { useText } from '../../kit/language.tsx';
import { toneColour } from '../../kit/state.tsx';
import { opensFor, tileAt, TILE, type Arrangement, type Drawn } from './arrangement.ts';
import { FAR, nodeTypes, type BoxNode, type GroupNode } from './boxes.tsx';
import type { Choice } from './choice.ts';
import { countTones } from './model.ts';
import type { Frame, Placement } from './layout-graph.ts';
import { edgeTypes, type LinkEdge } from './links.tsx';
import { topologyText } from './text.ts';
import './topology.css';

/** More lines than these are pale until something at their end is chosen, and carry no addresses. */
const MANY_LINKS = 60;
const MANY_GATEWAYS = 14;
/** Pixels on the screen that an arrow key moves the canvas. */
const STEP = 120;

const handlesOf = (width: number, height: number): NodeHandle[] => [
  { type: 'target', position: Position.Top, x: width / 2, y: 0, width: 1, height: 1 },
  { type: 'source', position: Position.Bottom, x: width / 2, y: height, width: 1, height: 1 },
];

function boxNodes({ drawn }: Arrangement, placement: Placement): BoxNode[] {
  return drawn.flatMap((one): BoxNode[] => {
    const position = placement.boxes.get(one.box.id);
    if (position === undefined) return [];
    const { width, height } = one;
    return [
      {
        id: one.box.id,
        type: 'box',
        position,
        data: { drawn: one },
        width,
        height,
        handles: handlesOf(width, height),
      },
    ];
  });
}

const groupNodes = (placement: Placement, nameOf: (projectId: string) => string): GroupNode[] =>
  [...placement.groups].map(([id, { x, y, width, height }]) => ({
    id: `group ${id}`,
    type: 'project',
    position: { x, y },
    data: { name: nameOf(id) },
    width,
    height,
    zIndex: -1,
    handles: [],
  }));

function linkEdges(
  { links }: Arrangement,
  placement: Placement,
  chosen: Choice | null,
  far: boolean,
): LinkEdge[] {
  const gateways = links.filter(({ kind }) => kind === 'gateway').length;
  return links.flatMap((link): LinkEdge[] => {
    const touched =
      chosen !== null &&
      (chosen.serverId === undefined
        ? link.source === chosen.boxId || link.target === chosen.boxId
        : link.serverId === chosen.serverId);
    const many = link.kind === 'gateway' ? gateways > MANY_GATEWAYS : links.length > MANY_LINKS;
    if (far && many && !touched) return [];
    return [
      {
        id: link.id,
        type: 'link',
        source: link.source,
        target: link.target,
        className: [
          link.kind,
          link.tone === 'bad' ? 'broken' : '',
          many ? 'many' : '',
          touched ? 'chosen' : '',
        ].join(' '),
        data: {
          link,
          route: placement.routes.get(`${link.source} ${link.target}`) ?? null,
          labelled: !many || touched,
        },
      },
    ];
  });
}

const centreOf = (
  drawn: Drawn,
  placement: Placement,
  serverId: string | undefined,
): { x: number; y: number } | null => {
  const corner = placement.boxes.get(drawn.box.id);
  if (corner === undefined) return null;
  const index =
    drawn.collapsed || drawn.box.kind === 'router'
      ? -1
      : drawn.box.servers.findIndex(({ id }) => id === serverId);
  if (index === -1) return { x: corner.x + drawn.width / 2, y: corner.y + Math.min(drawn.height, 400) / 2 };
  const { x, y } = tileAt(drawn, index);
  return { x: corner.x + x + TILE.width / 2, y: corner.y + y + TILE.height / 2 };
};

function boundsOf({ drawn }: Arrangement, placement: Placement): Frame {
  const frames = [
    ...placement.groups.values(),
    ...drawn.flatMap(({ box, width, height }) => {
      const corner = placement.boxes.get(box.id);
      return corner === undefined ? [] : [{ ...corner, width, height }];
    }),
  ];
  const x = Math.min(...frames.map((frame) => frame.x));
  const y = Math.min(...frames.map((frame) => frame.y));
  return {
    x,
    y,
    width: Math.max(...frames.map((frame) => frame.x + frame.width)) - x,
    height: Math.max(...frames.map((frame) => frame.y + frame.height)) - y,
  };
}

/** Goes to what was looked for, as soon as it has its place. */
function useCentring(arrangement: Arrangement, placement: Placement, wanted: Choice | null): void {
  const flow = useReactFlow();
  const done = useRef<Choice | null>(null);
  useEffect(() => {
    if (wanted === null || done.current === wanted) return;
    const drawn = arrangement.drawn.find(({ box }) => box.id === wanted.boxId);
    // Its network is being opened: it has no place of its own yet.
    if (drawn?.collapsed === true && opensFor(drawn.box, wanted.serverId)) return;
    const centre = drawn === undefined ? null : centreOf(drawn, placement, wanted.serverId);
    if (centre === null) return;
    done.current = wanted;
    void flow.setCenter(centre.x, centre.y, { zoom: Math.max(flow.getZoom(), 0.9), duration: 300 });
  }, [wanted, arrangement, placement, flow]);
}

const attention = ({ data }: Node): string => {
  const drawn = (data as BoxNode['data']).drawn as Drawn | undefined;
  if (drawn === undefined) return 'transparent';
  const { box } = drawn;
  const [worst] = box.kind === 'router' ? [] : countTones(box.servers);
  return toneColour[worst === undefined || box.tone === 'bad' ? box.tone : worst.tone];
};

export function Canvas({
  arrangement,
  placement,
  chosen,
  wanted,
  groupName,
  dark,
  label,
  children,
}: {
  arrangement: Arrangement;
  placement: Placement;
  chosen: Choice | null;
  /** Where to go next. */
  wanted: Choice | null;
  /** null: groups have no frame. */
  groupName: ((projectId: string) => string) | null;
  dark: boolean;
  label: string;
  children: ReactNode;
}) {
  const t = useText(topologyText);
  const flow = useReactFlow();
  const store = useStoreApi();
  const far = useStore(({ transform }) => transform[2] < FAR);
  const [moving, setMoving] = useState(false);
  const nodes = useMemo(
    (): (BoxNode | GroupNode)[] => [
      ...(groupName === null ? [] : groupNodes(placement, groupName)),
      ...boxNodes(arrangement, placement),
    ],
    [arrangement, placement, groupName],
  );
  const edges = useMemo(
    () => linkEdges(arrangement, placement, chosen, far),
    [arrangement, placement, chosen, far],
  );
  useCentring(arrangement, placement, wanted);

  const showAll = (duration: number): void => {
    const { x, y, width, height } = boundsOf(arrangement, placement);
    const { width: across, height: down, minZoom } = store.getState();
    void flow.setViewport(
      // Two servers need not fill the window.
      getViewportForBounds({ x, y, width, height }, across, down, minZoom, 1, 0.05),
      { duration },
    );
  };
  const move = (dx: number, dy: number): void => {
    const { x, y, zoom } = flow.getViewport();
    void flow.setViewport({ x: x + dx, y: y + dy, zoom });
  };
  const keys: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => move(STEP, 0),
    ArrowRight: () => move(-STEP, 0),
    ArrowUp: () => move(0, STEP),
    ArrowDown: () => move(0, -STEP),
    '+': () => void flow.zoomIn(),
    '=': () => void flow.zoomIn(),
    '-': () => void flow.zoomOut(),
    '0': () => showAll(200),
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const act = keys[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  const moves: OnMove = () => setMoving(true);
  return (
    <section
      className={moving ? 'topology moving' : 'topology'}
      aria-label={label}
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <ReactFlow<BoxNode | GroupNode, LinkEdge>
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        colorMode={dark ? 'dark' : 'light'}
        onlyRenderVisibleElements
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        disableKeyboardA11y
        deleteKeyCode={null}
        selectionKeyCode={null}
        multiSelectionKeyCode={null}
        zoomOnDoubleClick={false}
        minZoom={0.02}
        maxZoom={2}
        onInit={() => showAll(0)}
        proOptions={{ hideAttribution: true }}
        onMoveStart={moves}
        onMoveEnd={() => setMoving(false)}
      >
        <Panel position="top-right" className="topology-controls">
          <Button
            icon={<PlusOutlined />}
            aria-label={t.zoomIn}
            title={t.zoomIn}
            onClick={() => void flow.zoomIn()}
          />
          <Button
            icon={<MinusOutlined />}
            aria-label={t.zoomOut}
            title={t.zoomOut}
            onClick={() => void flow.zoomOut()}
          />
          <Button
            icon={<FullscreenOutlined />}
            aria-label={t.fit}
            title={t.fit}
            onClick={() => showAll(200)}
          />
        </Panel>
        {children}
        <MiniMap pannable zoomable ariaLabel={t.overview} nodeColor={attention} />
      </ReactFlow>
    </section>
  );
}
