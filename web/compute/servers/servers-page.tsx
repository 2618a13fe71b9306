// The list of servers, VMs and containers alike.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { ActionButton } from '../../kit/action-button.tsx';
import { useEverywhere } from '../../kit/everywhere.tsx';
import { useText } from '../../kit/language.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { useProjectNames } from '../../kit/project-input.tsx';
import { ResourceTable } from '../../kit/resource-table.tsx';
import { isOperator, isReader, useSession } from '../../kit/session.ts';
import { imagesQuery, serversQuery, type Image } from './api.ts';
import { BulkActions } from './bulk-actions.tsx';
import { useServerColumns } from './columns.tsx';
import type { Server } from './server.ts';
import { serversText } from './text.ts';

const NO_IMAGES: ReadonlyMap<string, Image> = new Map();

const keyOf = ({ id }: Server): string => id;

function CreateButton({ label }: { label: string }) {
  const t = useText(serversText);
  const navigate = useNavigate();
  const reader = isReader(useSession());
  return (
    <ActionButton
      why={reader ? t.readOnly : null}
      type="primary"
      icon={<PlusOutlined aria-hidden />}
      {...(reader ? {} : { href: '/servers/create' })}
      onClick={(event) => {
        // With a key held down it is a link as any other.
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        void navigate({ to: '/servers/create' });
      }}
    >
      {label}
    </ActionButton>
  );
}

export function ServersPage() {
  const t = useText(serversText);
  const operator = isOperator(useSession());
  const { everywhere, toggle } = useEverywhere('servers');
  const servers = useQuery(serversQuery(everywhere));
  const { data: images = NO_IMAGES } = useQuery(imagesQuery);
  const names = useProjectNames();
  const columns = useServerColumns({ images, operator, projects: everywhere ? names : null });
  return (
    <PageFrame title={t.servers} extra={<CreateButton label={t.create} />}>
      <ResourceTable<Server>
        key={String(everywhere)}
        name={everywhere ? 'servers-everywhere' : 'servers'}
        label={t.servers}
        query={servers}
        columns={columns}
        rowKey={keyOf}
        toolbar={toggle}
        bulk={(rows, clear) => <BulkActions servers={rows} images={images} clear={clear} />}
        empty={<CreateButton label={t.first} />}
      />
    </PageFrame>
  );
}
