// What the canvas is given to draw: near by everything by itself, from afar a drawing for each project.
import { describe, expect, it } from 'vitest';
import { arrange, type Arrangement } from './arrangement.ts';
import { boundsOf, centreOf, edgesOf, nodesAfar, nodesOf, shiftBetween } from './elements.ts';
import type { Placement } from './layout-graph.ts';
import { topologyOf, type TopologyServer } from './model.ts';

const server = (id: string, status: string): TopologyServer => ({
  id,
  name: id,
  status,
  task: null,
  projectId: 'p1',
  type: 'vm',
});
const port = (id: string, device_owner: string, device_id: string) => ({
  id,
  network_id: 'front',
  device_owner,
  device_id,
  status: 'ACTIVE',
  fixed_ips: [{ subnet_id: 's1', ip_address: '10.0.1.9' }],
});
const network = (id: string, external: boolean) => ({
  id,
  name: id,
  status: 'ACTIVE',
  project_id: 'p1',
  shared: false,
  admin_state_up: true,
  'router:external': external,
});
const topology = topologyOf({
  networks: [network('public', true), network('front', false)],
  subnets: [{ id: 's1', network_id: 'front', cidr: '10.0.1.0/24' }],
  routers: [
    {
      id: 'edge',
      name: 'edge',
      status: 'ERROR',
      project_id: 'p1',
      admin_state_up: true,
      external_gateway_info: { network_id: 'public', external_fixed_ips: [] },
    },
  ],
  ports: [
    port('i1', 'network:router_interface', 'edge'),
    port('a', 'compute:nova', 'web-1'),
    port('b', 'compute:nova', 'web-2'),
  ],
  floatingIps: [],
  servers: [server('web-1', 'ACTIVE'), server('web-2', 'ERROR')],
});
const arrangement = arrange(topology, new Map());
const placement: Placement = {
  boxes: new Map([
    ['public', { x: 100, y: 0 }],
    ['edge', { x: 20, y: 260 }],
    ['front', { x: 20, y: 400 }],
  ]),
  groups: new Map([['p1', { x: 0, y: 200, width: 700, height: 500 }]]),
  routes: new Map([
    [
      'edge front',
      [
        { x: 50, y: 320 },
        { x: 50, y: 400 },
      ],
    ],
  ]),
};
const drawnOf = (from: Arrangement, id: string) =>
  from.drawn.find(({ box }) => box.id === id) ?? expect.fail(id);

describe('near by', () => {
  it('every box stands where it was placed, in the frame of its project if there are several', () => {
    const ids = (nameOf: ((id: string) => string) | null) =>
      nodesOf(arrangement, placement, nameOf).map(({ id }) => id);
    expect(ids(null).toSorted()).toEqual(['edge', 'front', 'public']);
    expect(ids((id) => id)).toContain('project p1');
    const front = nodesOf(arrangement, placement, null).find(({ id }) => id === 'front');
    expect(front?.position).toEqual({ x: 20, y: 400 });
  });

  it('draws nothing that has no place yet', () => {
    expect(nodesOf(arrangement, { ...placement, boxes: new Map() }, null)).toEqual([]);
  });

  it('draws lines along their route, red where the router is broken, and strong at what was chosen', () => {
    const classOf = (boxId: string | null, id: string) =>
      edgesOf(arrangement, placement, boxId === null ? null : { boxId }).find((edge) => edge.id === id);
    expect(classOf(null, 'interface i1')?.data?.route).toHaveLength(2);
    expect(classOf(null, 'gateway edge')?.className).toBe('gateway broken');
    expect(classOf('front', 'interface i1')?.className).toBe('interface chosen');
    expect(classOf('front', 'gateway edge')?.className).toBe('gateway broken');
  });
});

describe('from afar', () => {
  const nodes = nodesAfar(arrangement, placement, (id) => `project ${id}`);
  const project = nodes.find(({ type }) => type === 'afar');
  const afar = project !== undefined && 'afar' in project.data ? project.data : expect.fail('no drawing');

  it('a project is one node with a mark for each state of its servers and for a broken router', () => {
    expect(nodes.map(({ id }) => id).toSorted()).toEqual(['afar p1', 'public']);
    expect([...afar.afar.marks.keys()].toSorted()).toEqual(['bad', 'good']);
    expect(afar.servers).toHaveLength(2);
    expect(afar.name).toBe('project p1');
  });

  it('its boxes are drawn from its own corner', () => {
    expect(afar.afar.boxes).toMatch(/^M20 200h/);
    expect(afar.afar.routers).toMatch(/^M20 60h/);
  });

  it('a collapsed network is a number and the worst state among its servers', () => {
    const collapsed = arrange(topology, new Map([['front', false]]));
    const [node] = nodesAfar(collapsed, placement, null);
    const drawing = node !== undefined && 'afar' in node.data ? node.data.afar : expect.fail('no drawing');
    expect(drawing.numbers).toMatchObject([{ key: 'front', count: 2 }]);
    expect(drawing.marks.has('good')).toBe(false);
    expect(drawing.marks.has('bad')).toBe(true);
  });
});

describe('a new layout', () => {
  const after: Placement = {
    ...placement,
    boxes: new Map([
      ['edge', { x: 50, y: 260 }],
      ['front', { x: 20, y: 900 }],
      ['new', { x: 0, y: 0 }],
    ]),
  };

  it('leaves where it is what its user has just opened', () => {
    expect(shiftBetween(placement, after, { x: 0, y: 0 }, 'front')).toEqual({ x: 0, y: 500 });
  });

  it('else leaves where it is what is nearest to the middle, and still there', () => {
    expect(shiftBetween(placement, after, { x: 100, y: 0 }, null)).toEqual({ x: 30, y: 0 });
    expect(shiftBetween(placement, after, { x: 20, y: 500 }, null)).toEqual({ x: 0, y: 500 });
    expect(shiftBetween(placement, { ...after, boxes: new Map() }, { x: 0, y: 0 }, null)).toBeNull();
  });
});

describe('where to go', () => {
  it('is the server itself, or its box while that is collapsed', () => {
    const open = centreOf(drawnOf(arrangement, 'front'), placement, 'web-2') ?? expect.fail('no place');
    const first = centreOf(drawnOf(arrangement, 'front'), placement, 'web-1') ?? expect.fail('no place');
    expect(open).not.toEqual(first);
    const collapsed = drawnOf(arrange(topology, new Map([['front', false]])), 'front');
    expect(centreOf(collapsed, placement, 'web-2')).toEqual(centreOf(collapsed, placement, undefined));
  });

  it('everything is inside of the bounds', () => {
    const { x, y, width, height } = boundsOf(arrangement, placement);
    expect([x, y]).toEqual([0, 0]);
    expect(x + width).toBeGreaterThanOrEqual(700);
    expect(y + height).toBeGreaterThanOrEqual(700);
  });
});
