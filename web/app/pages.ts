// Every page of the console, folder by folder, and the menu that leads to them.
import {
  ApartmentOutlined,
  AppstoreOutlined,
  AuditOutlined,
  BarChartOutlined,
  CameraOutlined,
  CloudServerOutlined,
  ClusterOutlined,
  DashboardOutlined,
  DesktopOutlined,
  FileImageOutlined,
  GatewayOutlined,
  GlobalOutlined,
  HddOutlined,
  IdcardOutlined,
  KeyOutlined,
  ProjectOutlined,
  SafetyCertificateOutlined,
  SaveOutlined,
  ShareAltOutlined,
  SlidersOutlined,
  TeamOutlined,
  UserOutlined,
} from '@ant-design/icons';
import type { ComponentType } from 'react';
import { consolePages } from '../compute/consoles/pages.ts';
import { serverPages } from '../compute/servers/pages.ts';
import { imagePages } from '../image/pages.ts';
import { auditPages } from '../audit/pages.ts';
import { computePages } from '../compute/pages.ts';
import { computeOperatorPages } from '../compute/operator-pages.ts';
import { identityPages } from '../identity/pages.ts';
import type { PageEntry } from '../kit/page-entry.ts';
import { networkPages } from '../network/pages.ts';
import { volumePages } from '../volume/pages.ts';
import type { appText } from './text.ts';

type Texts = (typeof appText)['en'];

export const pages: readonly PageEntry[] = [
  { path: '/', load: async () => (await import('../overview/overview-page.tsx')).OverviewPage },
  ...serverPages,
  ...consolePages,
  ...imagePages,
  ...computePages,
  ...volumePages,
  ...networkPages,
  ...identityPages,
  ...computeOperatorPages,
  ...auditPages,
];

export type MenuEntry = { path: string; name: keyof Texts['pages']; icon: ComponentType };
export type MenuGroup = {
  /** null: at the top, without a heading. */
  name: keyof Texts['groups'] | null;
  /** Only for who may see what belongs to others. */
  operator?: boolean;
  entries: readonly MenuEntry[];
};

export const menu: readonly MenuGroup[] = [
  { name: null, entries: [{ path: '/', name: 'overview', icon: DashboardOutlined }] },
  {
    name: 'compute',
    entries: [
      { path: '/servers', name: 'servers', icon: DesktopOutlined },
      { path: '/images', name: 'images', icon: FileImageOutlined },
      { path: '/flavors', name: 'flavors', icon: AppstoreOutlined },
      { path: '/keypairs', name: 'keypairs', icon: KeyOutlined },
    ],
  },
  {
    name: 'storage',
    entries: [
      { path: '/volumes', name: 'volumes', icon: HddOutlined },
      { path: '/snapshots', name: 'snapshots', icon: CameraOutlined },
      { path: '/backups', name: 'backups', icon: SaveOutlined },
    ],
  },
  {
    name: 'network',
    entries: [
      { path: '/topology', name: 'topology', icon: ApartmentOutlined },
      { path: '/networks', name: 'networks', icon: ShareAltOutlined },
      { path: '/routers', name: 'routers', icon: GatewayOutlined },
      { path: '/floating-ips', name: 'floatingIps', icon: GlobalOutlined },
      { path: '/security-groups', name: 'securityGroups', icon: SafetyCertificateOutlined },
    ],
  },
  {
    name: 'operator',
    operator: true,
    entries: [
      { path: '/hosts', name: 'hosts', icon: CloudServerOutlined },
      { path: '/services', name: 'services', icon: ClusterOutlined },
      { path: '/projects', name: 'projects', icon: ProjectOutlined },
      { path: '/default-quotas', name: 'defaultQuotas', icon: SlidersOutlined },
      { path: '/users', name: 'users', icon: UserOutlined },
      { path: '/groups', name: 'groups', icon: TeamOutlined },
      { path: '/roles', name: 'roles', icon: IdcardOutlined },
      { path: '/usage', name: 'usage', icon: BarChartOutlined },
      { path: '/audit-log', name: 'auditLog', icon: AuditOutlined },
    ],
  },
];
