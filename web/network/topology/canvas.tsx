// The canvas of the topology: what is placed where, moved by mouse, fingers or keys.
import {
  ReactFlow,
  MiniMap,
  Panel,
  getViewportForBounds,
  useReactFlow,
  useStore,
  useStoreApi,
  type OnMove,
} from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import { FullscreenOutlined, MinusOutlined, PlusOutlined } from '@ant-design/icons';
import { Button } from 'antd';
import {
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type ReactNode,
  type RefObject,
} from 'react';
import { useText } from '../../kit/language.tsx';
import { toneColour } from '../../kit/state.tsx';
import { opensFor, type Arrangement } from './arrangement.ts';
import { FAR, nodeTypes } from './boxes.tsx';
import type { Choice } from './choice.ts';
import {
  boundsOf,
  centreOf,
  edgesOf,
  nodesAfar,
  nodesOf,
  shiftBetween,
  type LinkEdge,
  type TopologyNode,
} from './elements.ts';
import type { Placement } from './layout-graph.ts';
import { edgeTypes } from './links.tsx';
import { countTones, type ServerItem } from './model.ts';
import { topologyText } from './text.ts';
import './topology.css';

/** Pixels on the screen that an arrow key moves the canvas. */
const STEP = 120;

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

/** What its user looks at stays where it is on the screen when a new layout is shown. */
function useAnchor(placement: Placement, toggled: RefObject<string | null>): void {
  const flow = useReactFlow();
  const store = useStoreApi();
  const before = useRef(placement);
  useLayoutEffect(() => {
    const old = before.current;
    if (old === placement) return;
    before.current = placement;
    const { width, height, transform } = store.getState();
    const [x, y, zoom] = transform;
    const middle = { x: (width / 2 - x) / zoom, y: (height / 2 - y) / zoom };
    const shift = shiftBetween(old, placement, middle, toggled.current);
    toggled.current = null;
    if (shift !== null) void flow.setViewport({ x: x - shift.x * zoom, y: y - shift.y * zoom, zoom });
  }, [placement, toggled, flow, store]);
}

const worstOf = (servers: readonly ServerItem[]): string | undefined => {
  const [worst] = countTones(servers);
  return worst === undefined ? undefined : toneColour[worst.tone];
};

/** In the small map, what needs attention stands out. */
function attention({ type, data }: TopologyNode): string {
  if (type === 'project') return 'transparent';
  if ('servers' in data) return worstOf(data.servers) ?? toneColour.good;
  if (!('drawn' in data)) return 'transparent';
  const { box } = data.drawn;
  const own = toneColour[box.tone];
  return box.kind === 'router' || box.tone === 'bad' ? own : (worstOf(box.servers) ?? own);
}

export function Canvas({
  arrangement,
  placement,
  chosen,
  wanted,
  toggled,
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
  /** The box that was opened or closed last. */
  toggled: RefObject<string | null>;
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
    () => (far ? nodesAfar : nodesOf)(arrangement, placement, groupName),
    [arrangement, placement, groupName, far],
  );
  const edges = useMemo(
    () => (far ? [] : edgesOf(arrangement, placement, chosen)),
    [arrangement, placement, chosen, far],
  );
  useAnchor(placement, toggled);
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
      <ReactFlow<TopologyNode, LinkEdge>
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
        <MiniMap<TopologyNode> pannable zoomable ariaLabel={t.overview} nodeColor={attention} />
      </ReactFlow>
    </section>
  );
}
