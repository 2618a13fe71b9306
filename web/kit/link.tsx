// Links inside the console, and identifiers as they are shown.
import { Link } from '@tanstack/react-router';
import { Typography } from 'antd';
import type { ReactNode } from 'react';

/** A link to a page, e.g. `/servers/…`. */
export function To({ to, children, title }: { to: string; children: ReactNode; title?: string }) {
  return (
    <Link to={to} className="to" {...(title === undefined ? {} : { title })}>
      {children}
    </Link>
  );
}

/** The name of a resource, or the beginning of its id where it has none, as a link to its page. */
export function ResourceLink({ to, name, id }: { to: string; name: string | null | undefined; id: string }) {
  return (
    <To to={`${to}/${id}`} title={id}>
      {name === null || name === undefined || name === '' ? <code>{id.slice(0, 8)}</code> : name}
    </To>
  );
}

export function Id({ id, short = false }: { id: string; short?: boolean }) {
  return (
    <Typography.Text copyable={{ text: id }} code className="id" title={id}>
      {short ? id.slice(0, 8) : id}
    </Typography.Text>
  );
}
