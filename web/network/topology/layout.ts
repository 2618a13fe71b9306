// Lays the topology out in a worker, so that nothing on the page waits for it.
import ELK, { type ElkNode } from 'elkjs/lib/elk-api.js';
import worker from 'elkjs/lib/elk-worker.min.js?url';
import { useEffect, useRef, useState, type RefObject } from 'react';
import { structureOf, type Arrangement } from './arrangement.ts';
import { groupGraphs, packingGraph, placementOf, type Placement } from './layout-graph.ts';

type LaidOut = { arrangement: Arrangement; placement: Placement };
export type Engine = { layout(arrangement: Arrangement): Promise<Placement>; stop(): void };

/** The worker starts at once: reading its script takes as long as the API takes to answer. */
export function useEngine(): RefObject<Engine | null> {
  const engine = useRef<Engine | null>(null);
  useEffect(() => {
    engine.current ??= startEngine();
    return () => {
      engine.current?.stop();
      engine.current = null;
    };
  }, []);
  return engine;
}

function startEngine(): Engine {
  const elk = new ELK({ workerUrl: worker });
  // Only of the last layout: a project that was changed is not asked for as it was.
  let known: ReadonlyMap<string, Promise<ElkNode>> = new Map();
  return {
    async layout(arrangement) {
      const wanted = groupGraphs(arrangement).map((graph) => [JSON.stringify(graph), graph] as const);
      known = new Map(wanted.map(([key, graph]) => [key, known.get(key) ?? elk.layout(graph)]));
      const groups = await Promise.all(known.values());
      return placementOf(arrangement, groups, await elk.layout(packingGraph(groups)));
    },
    stop: () => elk.terminateWorker(),
  };
}

/**
 * Anew only when the structure changes: a state that changes moves nothing. While a new layout is made, what is shown
 * stays as it was. `shown` is null until the first is made.
 */
export function useLayout(
  engine: RefObject<Engine | null>,
  arrangement: Arrangement,
): { shown: LaidOut | null; error: unknown } {
  const [made, setMade] = useState<(LaidOut & { structure: string }) | null>(null);
  const [error, setError] = useState<unknown>(null);
  const structure = structureOf(arrangement);
  const latest = useRef(arrangement);
  latest.current = arrangement;

  useEffect(() => {
    const wanted = latest.current;
    let outdated = false;
    const began = performance.now();
    engine.current ??= startEngine();
    engine.current.layout(wanted).then(
      (placement) => {
        if (outdated) return;
        // For whoever measures: bench/figures/topology.ts.
        performance.measure('topology-layout', { start: began });
        setMade({ arrangement: wanted, placement, structure });
        setError(null);
      },
      (reason: unknown) => {
        if (!outdated) setError(reason);
      },
    );
    return () => {
      outdated = true;
    };
  }, [engine, structure]);

  if (made === null) return { shown: null, error };
  const current = made.structure === structure ? arrangement : made.arrangement;
  return { shown: { placement: made.placement, arrangement: current }, error };
}
