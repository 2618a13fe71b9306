// The frame around every page: menu, project, user.
import { LogoutOutlined, MenuOutlined, UserOutlined } from '@ant-design/icons';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Outlet, useLocation, useNavigate } from '@tanstack/react-router';
import { Button, Drawer, Dropdown, Flex, Layout, Menu, Select, type MenuProps } from 'antd';
import { useMemo, useState, type ReactNode } from 'react';
import { useAction } from '../kit/action.tsx';
import { useText } from '../kit/language.tsx';
import { To } from '../kit/link.tsx';
import { endSession, isOperator, startSession, useSession } from '../kit/session.ts';
import { projectsOf, revoke, switchProject } from '../kit/sign-in.ts';
import { useViewport } from '../kit/viewport.ts';
import icon from './icon.svg';
import { menu } from './pages.ts';
import { Preferences } from './preferences.tsx';
import { appText } from './text.ts';

/** Pixels; below, the menu is a drawer. */
const WIDE = 900;

function MainMenu({ onGo }: { onGo(): void }) {
  const t = useText(appText);
  const session = useSession();
  const { pathname } = useLocation();
  const items = useMemo((): NonNullable<MenuProps['items']> => {
    const entry = ({ path, name, icon: Icon }: (typeof menu)[number]['entries'][number]) => ({
      key: path,
      icon: <Icon />,
      label: <To to={path}>{t.pages[name]}</To>,
    });
    return menu
      .filter(({ operator }) => operator !== true || isOperator(session))
      .flatMap(({ name, entries }): NonNullable<MenuProps['items']> =>
        name === null
          ? entries.map(entry)
          : [{ type: 'group' as const, key: name, label: t.groups[name], children: entries.map(entry) }],
      );
  }, [session, t]);
  return (
    <nav aria-label={t.mainMenu}>
      <Menu
        mode="inline"
        items={items}
        selectedKeys={[`/${pathname.split('/')[1] ?? ''}`]}
        onClick={onGo}
        className="main-menu"
      />
    </nav>
  );
}

function ProjectSwitch() {
  const t = useText(appText);
  const session = useSession();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const projects = useQuery({ queryKey: ['my-projects'], queryFn: () => projectsOf(session.token) });
  const change = useAction<string>({
    refresh: [],
    async run(id) {
      const next = await switchProject(session, id);
      await navigate({ to: '/' });
      queries.clear();
      startSession(next);
    },
  });
  const here = session.project;
  const options = (projects.data ?? (here === null ? [] : [here])).map(({ id, name }) => ({
    value: id,
    label: name,
  }));
  return (
    <Select
      aria-label={t.switchProject}
      className="project-switch"
      value={here?.id ?? null}
      options={options}
      placeholder={t.noProject}
      showSearch={{ optionFilterProp: 'label' }}
      popupMatchSelectWidth={false}
      loading={change.isPending}
      onChange={(id: string) => change.mutate(id)}
    />
  );
}

/** `children`: what is shown in the place of the address's page. */
export function Shell({ children }: { children?: ReactNode }) {
  const t = useText(appText);
  const session = useSession();
  const queries = useQueryClient();
  const wide = useViewport().width >= WIDE;
  const [open, setOpen] = useState(false);
  const signOut = async (): Promise<void> => {
    await revoke(session);
    endSession();
    queries.clear();
  };
  return (
    <Layout className="shell">
      <a href="#content" className="skip">
        {t.skip}
      </a>
      <Layout.Header className="top-bar">
        <Flex align="center" gap={8} className="top-row">
          {wide ? null : (
            <Button type="text" icon={<MenuOutlined />} aria-label={t.menu} onClick={() => setOpen(true)} />
          )}
          <To to="/">
            <Flex align="center" gap={8} className="brand">
              <img src={icon} alt={wide ? '' : 'Strata'} width={26} height={26} />
              {wide ? 'Strata' : null}
            </Flex>
          </To>
          <ProjectSwitch />
          <div className="spring" />
          <Preferences />
          <Dropdown
            trigger={['click']}
            menu={{
              items: [{ key: 'out', icon: <LogoutOutlined />, label: t.signOut }],
              onClick: () => void signOut(),
            }}
          >
            <Button type="text" icon={<UserOutlined />} aria-label={session.user.name}>
              {wide ? session.user.name : null}
            </Button>
          </Dropdown>
        </Flex>
      </Layout.Header>
      <Layout hasSider={wide}>
        {wide ? (
          <Layout.Sider width={208} className="side">
            <MainMenu onGo={() => {}} />
          </Layout.Sider>
        ) : (
          <Drawer
            open={open}
            placement="left"
            size={260}
            onClose={() => setOpen(false)}
            title="Strata"
            className="side-drawer"
          >
            <MainMenu onGo={() => setOpen(false)} />
          </Drawer>
        )}
        <Layout.Content id="content" className="content" tabIndex={-1} role="main">
          {children ?? <Outlet key={session.project?.id ?? ''} />}
        </Layout.Content>
      </Layout>
    </Layout>
  );
}
