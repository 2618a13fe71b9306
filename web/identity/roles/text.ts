// What the page of roles says.
import { texts } from '../../kit/language.tsx';

export const roleText = texts(
  {
    title: 'Roles',
    create: 'Create role',
    edit: 'Edit role',
    created: 'Role created',
    changed: 'Role changed',
    implies: 'Implies',
    impliesHint: 'Who has the role also has these.',
    through: 'by what it implies',
    scope: 'Of',
    cloud: 'the whole cloud',
    immutable: 'This role is part of the cloud and cannot be changed.',
    deleteTitle: (name: string) => `Delete role ${name}?`,
    deleteLoses: 'Everybody who has the role loses it, and their tokens end at once.',
    meanings: {
      admin: 'Operates the cloud: sees and changes everything',
      manager: 'Runs a project or domain: its users, groups and shared policies',
      member: 'Makes and changes servers, networks and volumes of a project',
      reader: 'Sees what belongs to a project, changes nothing',
      service: 'For services that speak to each other',
    },
  },
  {
    title: '角色',
    create: '创建角色',
    edit: '编辑角色',
    created: '角色已创建',
    changed: '角色已修改',
    implies: '隐含角色',
    impliesHint: '拥有该角色的人同时拥有这些角色。',
    through: '间接隐含',
    scope: '所属',
    cloud: '整个云',
    immutable: '该角色是云的内置角色，不能修改。',
    deleteTitle: (name: string) => `删除角色 ${name}？`,
    deleteLoses: '所有拥有该角色的人都会失去它，其令牌立即失效。',
    meanings: {
      admin: '运维整个云：可以查看和修改一切',
      manager: '管理项目或域：其中的用户、用户组和共享策略',
      member: '创建和修改项目中的服务器、网络和卷',
      reader: '只能查看项目中的资源',
      service: '供服务之间相互调用',
    },
  },
);
