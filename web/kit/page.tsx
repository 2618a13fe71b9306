// The frame of a page: its title, what can be done here, and what is below.
import { Flex, Typography, type BreadcrumbProps, Breadcrumb } from 'antd';
import { useEffect, type ReactNode } from 'react';
import { To } from './link.tsx';

type Crumb = { title: string; to?: string };

export function PageFrame({
  title,
  crumbs = [],
  extra,
  children,
}: {
  title: string;
  /** The pages above this one. */
  crumbs?: readonly Crumb[];
  /** Beside the title: state, buttons. */
  extra?: ReactNode;
  children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · Strata`;
  }, [title]);
  const items: BreadcrumbProps['items'] = [
    ...crumbs.map(({ title: name, to }) => ({ title: to === undefined ? name : <To to={to}>{name}</To> })),
    { title },
  ];
  return (
    <Flex vertical gap={16}>
      {crumbs.length === 0 ? null : <Breadcrumb items={items} />}
      <Flex justify="space-between" align="center" gap={12} wrap>
        <Typography.Title level={1} className="page-title">
          {title}
        </Typography.Title>
        <Flex gap={8} wrap align="center">
          {extra}
        </Flex>
      </Flex>
      {children}
    </Flex>
  );
}
