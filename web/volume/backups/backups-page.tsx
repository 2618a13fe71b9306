// The backups of the project's volumes, which outlive the volumes.
import { PlusOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ActionButton } from '../../kit/action-button.tsx';
import { useEverywhere } from '../../kit/everywhere.tsx';
import { useText } from '../../kit/language.tsx';
import { PageFrame } from '../../kit/page.tsx';
import { isReader, useSession } from '../../kit/session.ts';
import { kitText } from '../../kit/text.ts';
import { volumesQuery } from '../volumes/api.ts';
import { backupsQuery } from './api.ts';
import { BackupTable } from './backup-table.tsx';
import { CreateBackupDialog } from './dialogs.tsx';
import { backupText } from './text.ts';

export function BackupsPage() {
  const t = useText(backupText);
  const k = useText(kitText);
  const reader = isReader(useSession());
  const { everywhere, toggle } = useEverywhere('backups');
  const query = useQuery(backupsQuery(everywhere));
  const { data: volumes = NONE } = useQuery(volumesQuery(everywhere));
  const [creating, setCreating] = useState(false);
  return (
    <PageFrame
      title={t.title}
      extra={
        <ActionButton
          type="primary"
          icon={<PlusOutlined aria-hidden />}
          why={reader ? k.readOnlyRole : null}
          onClick={() => setCreating(true)}
        >
          {t.create}
        </ActionButton>
      }
    >
      <BackupTable
        key={String(everywhere)}
        name={everywhere ? 'backups-everywhere' : 'backups'}
        query={query}
        volumes={volumes}
        everywhere={everywhere}
        toolbar={toggle}
      />
      <CreateBackupDialog open={creating} volumes={volumes} onClose={() => setCreating(false)} />
    </PageFrame>
  );
}

const NONE: readonly never[] = [];
