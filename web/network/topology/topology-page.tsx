// The topology: who is connected to whom, and how everything is.
import { ReactFlowProvider } from '@xyflow/react';
import { Empty, Flex, Skeleton, Typography } from 'antd';
import { useCallback, useMemo, useRef, useState, type RefObject } from 'react';
import { useAppearance } from '../../app/theme.tsx';
import { useText } from '../../kit/language.tsx';
import { To } from '../../kit/link.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { Problem } from '../../kit/problem.tsx';
import { isOperator, useSession } from '../../kit/session.ts';
import { useProjectNames } from '../../kit/project-input.tsx';
import { arrange, collapseAbove, isCollapsed, opensFor } from './arrangement.ts';
import { ChosenContext, Counts, NetworkNames, TopologyActions } from './boxes.tsx';
import { Canvas } from './canvas.tsx';
import type { Choice } from './choice.ts';
import { useEngine, useLayout, type Engine } from './layout.ts';
import { Legend } from './legend.tsx';
import type { Topology } from './model.ts';
import { ChosenPanel } from './panel.tsx';
import { useTopology } from './queries.ts';
import { Search } from './search.tsx';
import { topologyText } from './text.ts';

function useOpened(topology: Topology) {
  const [chosen, setChosen] = useState<ReadonlyMap<string, boolean>>(new Map());
  const toggled = useRef<string | null>(null);
  const toggle = useCallback(
    (boxId: string) => {
      toggled.current = boxId;
      setChosen((before) => {
        const box = topology.boxes.find(({ id }) => id === boxId);
        if (box === undefined) return before;
        return new Map(before).set(boxId, isCollapsed(box, collapseAbove(topology), before));
      });
    },
    [topology],
  );
  const open = useCallback((boxId: string) => setChosen((before) => new Map(before).set(boxId, true)), []);
  return { opened: chosen, toggled, toggle, open };
}

function TopologyMap({ topology, engine }: { topology: Topology; engine: RefObject<Engine | null> }) {
  const t = useText(topologyText);
  const { dark } = useAppearance();
  const operator = isOperator(useSession());
  const projects = useProjectNames();
  const { opened, toggled, toggle, open } = useOpened(topology);
  const arrangement = useMemo(() => arrange(topology, opened), [topology, opened]);
  const { shown, error } = useLayout(engine, arrangement);
  const [choice, setChoice] = useState<Choice | null>(null);
  const [wanted, setWanted] = useState<Choice | null>(null);
  const actions = useMemo(() => ({ choose: setChoice, toggle }), [toggle]);
  const groupName = useCallback((id: string) => projects.get(id) ?? id.slice(0, 8), [projects]);
  const networkNames = useMemo(() => new Map(topology.boxes.map(({ id, name }) => [id, name])), [topology]);
  const servers = topology.boxes.flatMap((box) => (box.kind === 'router' ? [] : box.servers));

  const onFound = (found: Choice): void => {
    const box = topology.boxes.find(({ id }) => id === found.boxId);
    if (box !== undefined && opensFor(box, found.serverId)) open(box.id);
    setChoice(found);
    setWanted(found);
  };
  const countOf = (kind: 'network' | 'router'): number =>
    topology.boxes.filter((box) => box.kind === kind).length;
  return (
    <Flex vertical gap={12}>
      <Flex gap={16} wrap align="center">
        <Search topology={topology} onFound={onFound} />
        <Flex gap={12} wrap role="status">
          <span>{t.servers(servers.length)}</span>
          <Counts servers={servers} />
        </Flex>
      </Flex>
      {error === null ? null : <Problem error={error} />}
      {shown === null ? (
        <Skeleton active title={{ width: t.laying.length * 12 }} />
      ) : (
        <TopologyActions value={actions}>
          <ChosenContext value={choice}>
            <NetworkNames value={networkNames}>
              <ReactFlowProvider>
                <Canvas
                  {...shown}
                  chosen={choice}
                  wanted={wanted}
                  toggled={toggled}
                  groupName={operator ? groupName : null}
                  dark={dark}
                  label={t.map(servers.length, countOf('network'), countOf('router'))}
                >
                  <Legend />
                </Canvas>
              </ReactFlowProvider>
            </NetworkNames>
          </ChosenContext>
        </TopologyActions>
      )}
      <ChosenPanel topology={topology} choice={choice} onClose={() => setChoice(null)} />
    </Flex>
  );
}

export function TopologyPage() {
  const t = useText(topologyText);
  const engine = useEngine();
  const { topology, error, retry } = useTopology();
  return (
    <PageFrame title={t.title}>
      {error === null ? null : <Problem error={error} retry={retry} />}
      {topology === null ? (
        error === null ? (
          <Skeleton active />
        ) : null
      ) : topology.boxes.length === 0 ? (
        <Empty description={<Typography.Text>{t.empty}</Typography.Text>}>
          <To to="/networks">{t.emptyHint}</To>
        </Empty>
      ) : (
        <TopologyMap topology={topology} engine={engine} />
      )}
    </PageFrame>
  );
}
