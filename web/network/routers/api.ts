// Routers as the API gives them, and what can be done with them.
import { api } from '../../kit/api.ts';
import { listOf, oneOf } from '../lists.ts';

export type Route = { destination: string; nexthop: string };

export type GatewayInfo = {
  network_id: string;
  enable_snat?: boolean;
  external_fixed_ips?: { subnet_id?: string; ip_address?: string }[];
};

export type Router = {
  id: string;
  name: string;
  description: string;
  project_id: string;
  status: string;
  admin_state_up: boolean;
  external_gateway_info: GatewayInfo | null;
  routes: Route[];
  created_at: string;
  updated_at: string;
};

export type RouterBody = {
  name?: string;
  description?: string;
  admin_state_up?: boolean;
  /** null: clears it. */
  external_gateway_info?: GatewayInfo | null;
  routes?: Route[];
};

export const routersQuery = () => listOf<Router>('routers', 'routers', 'routers');
export const routerQuery = (id: string) => oneOf<Router>('routers', 'routers', 'router', id);

export async function createRouter(router: RouterBody): Promise<string> {
  return (await api.post<{ router: Router }>('/network/v2.0/routers', { router })).router.id;
}

export const updateRouter = (id: string, router: RouterBody): Promise<void> =>
  api.put(`/network/v2.0/routers/${id}`, { router });

export const deleteRouter = (id: string): Promise<void> => api.delete(`/network/v2.0/routers/${id}`);

/** By subnet the router gets its gateway address; by port any other. */
export const addInterface = (id: string, to: { subnet_id: string } | { port_id: string }): Promise<void> =>
  api.put(`/network/v2.0/routers/${id}/add_router_interface`, to);

export const removeInterface = (id: string, portId: string): Promise<void> =>
  api.put(`/network/v2.0/routers/${id}/remove_router_interface`, { port_id: portId });
