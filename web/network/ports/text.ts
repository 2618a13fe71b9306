// What the parts of ports say.
import { texts } from '../../kit/language.tsx';

export const portsText = texts(
  {
    create: 'Create port',
    edit: (name: string) => `Edit port ${name}`,
    mac: 'MAC address',
    macHint: 'Left empty, the cloud chooses one.',
    owner: 'Used by',
    owners: {
      server: 'Server',
      router: 'Router',
      gateway: 'Gateway of a router',
      dhcp: 'DHCP',
      floatingIp: 'Floating IP',
      other: 'Other',
      nobody: 'Nobody',
    },
    fixed: 'Fixed address',
    fixedHint: 'Left empty, the cloud chooses a free one.',
    anySubnet: 'Any subnet',
    security: 'Port security',
    securityHint:
      'It may only send from its own addresses, and security groups apply. Switch it off only for routers and firewalls among your servers.',
    open: 'Unprotected',
    groups: 'Security groups',
    groupsDefault: 'The project’s default group',
    groupsHint: 'None: nothing gets in, nothing gets out.',
    pairs: 'Allowed address pairs',
    pairsHint: 'Further addresses that it may send from, e.g. the shared one of a failover pair.',
    pairAddress: 'Address or network',
    pairMac: 'MAC (optional)',
    addPair: 'Add pair',
    removePair: 'Remove pair',
    adminHint: 'Switched off, it carries nothing.',
    deleteTitle: (name: string) => `Delete port ${name}?`,
    deleteText: (server: string) =>
      server === ''
        ? 'Its addresses become free. This cannot be undone.'
        : `Server ${server} loses this interface and its addresses. This cannot be undone.`,
    deleteManyText: 'Servers lose these interfaces and their addresses. This cannot be undone.',
    notYours: 'It belongs to a router or a service and goes with it.',
  },
  {
    create: '创建端口',
    edit: (name: string) => `编辑端口 ${name}`,
    mac: 'MAC 地址',
    macHint: '留空则由云分配。',
    owner: '使用者',
    owners: {
      server: '服务器',
      router: '路由器',
      gateway: '路由器网关',
      dhcp: 'DHCP',
      floatingIp: '浮动 IP',
      other: '其他',
      nobody: '未使用',
    },
    fixed: '固定地址',
    fixedHint: '留空则由云分配空闲地址。',
    anySubnet: '任意子网',
    security: '端口安全',
    securityHint: '只能使用自己的地址发送数据，并受安全组约束。仅当服务器充当路由器或防火墙时才关闭。',
    open: '未受保护',
    groups: '安全组',
    groupsDefault: '项目的默认安全组',
    groupsHint: '不选则禁止所有入站和出站流量。',
    pairs: '允许的地址对',
    pairsHint: '允许额外使用的源地址，例如主备切换时共用的地址。',
    pairAddress: '地址或网段',
    pairMac: 'MAC（可选）',
    addPair: '添加地址对',
    removePair: '移除地址对',
    adminHint: '停用后不转发任何数据。',
    deleteTitle: (name: string) => `删除端口 ${name}？`,
    deleteText: (server: string) =>
      server === ''
        ? '其地址将被释放。此操作无法撤销。'
        : `服务器 ${server} 将失去此网卡及其地址。此操作无法撤销。`,
    deleteManyText: '相关服务器将失去这些网卡及其地址。此操作无法撤销。',
    notYours: '它属于路由器或某项服务，会随其一同删除。',
  },
);
