// The addresses of the console, made from the folders' pages. What a page needs is loaded with it.
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  type AnyRoute,
} from '@tanstack/react-router';
import { Button, Result, Spin } from 'antd';
import { useText } from '../kit/language.tsx';
import { To } from '../kit/link.tsx';
import { Problem } from '../kit/problem.tsx';
import { pages } from './pages.ts';
import { Shell } from './shell.tsx';
import { appText } from './text.ts';

function Lost() {
  const t = useText(appText);
  return (
    <Shell>
      <Result status="404" title={t.lost} extra={<To to="/">{t.home}</To>} />
    </Shell>
  );
}

function Broken({ error, reset }: { error: unknown; reset(): void }) {
  const t = useText(appText);
  return (
    <Result status="error" title={t.broken} extra={<Button onClick={reset}>{t.home}</Button>}>
      <Problem error={error} />
    </Result>
  );
}

const root = createRootRoute({ component: Outlet, notFoundComponent: Lost });
const framed = createRoute({ getParentRoute: () => root, id: 'framed', component: Shell });

const routeOf = (parent: AnyRoute, { path, load }: (typeof pages)[number]): AnyRoute =>
  createRoute({
    getParentRoute: () => parent,
    path,
    component: lazyRouteComponent(async () => ({ page: await load() }), 'page'),
  });

export const router = createRouter({
  routeTree: root.addChildren([
    ...pages.filter(({ bare }) => bare === true).map((page) => routeOf(root, page)),
    framed.addChildren(pages.filter(({ bare }) => bare !== true).map((page) => routeOf(framed, page))),
  ]),
  defaultPreload: 'intent',
  defaultErrorComponent: Broken,
  defaultPendingComponent: () => <Spin className="pending" />,
  scrollRestoration: true,
});
