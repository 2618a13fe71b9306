// Why servers find no host: filter by filter, with the hosts that are named and the next step.
import { Alert, Flex, Typography } from 'antd';
import { useFormat, useText } from '../../kit/language.tsx';
import { isFilter, readNoHost, type Refusal } from './refusal.ts';
import { refusalText } from './refusal-text.ts';
import type { Server } from './server.ts';

export function Refusals({ refusals }: { refusals: readonly Refusal[] }) {
  const t = useText(refusalText);
  return (
    <Flex vertical gap={12} component="ul" className="refusals">
      {refusals.map(({ filter, hosts, examples }) => (
        <li key={filter}>
          <Typography.Text strong>{isFilter(filter) ? t.filters[filter] : filter}</Typography.Text>{' '}
          <Typography.Text type="secondary">{t.refused(hosts)}</Typography.Text>
          {examples.map(({ host, message }) => (
            <div key={host}>
              <Typography.Text code>{host}</Typography.Text> {message}
            </div>
          ))}
          {isFilter(filter) ? (
            <div>
              {t.nextStep}: {t.steps[filter]}
            </div>
          ) : null}
        </li>
      ))}
    </Flex>
  );
}

/** What went wrong with a server, and what to do. */
export function Fault({ server }: { server: Pick<Server, 'fault' | 'hostId'> }) {
  const t = useText(refusalText);
  const format = useFormat();
  const { fault } = server;
  if (fault === undefined) return null;
  const noHost = readNoHost(fault.message);
  if (noHost === null)
    return (
      <Alert
        type="error"
        showIcon
        title={`${t.faultTitle} (${t.since(format.time(fault.created))})`}
        description={
          <>
            <div className="message">{fault.message}</div>
            <div>
              {t.nextStep}: {server.hostId === '' ? t.unplacedStep : t.faultStep}
            </div>
          </>
        }
      />
    );
  return (
    <Alert
      type="error"
      showIcon
      title={`${t.title} (${t.since(format.time(fault.created))})`}
      description={
        <Flex vertical gap={8}>
          <div>
            {noHost.considered === 0 ? `${t.noHosts} ${t.noHostsStep}` : t.considered(noHost.considered)}
          </div>
          <Refusals refusals={noHost.refusals} />
          {noHost.others.map(({ host, message }) => (
            <div key={host}>
              <Typography.Text code>{host}</Typography.Text> {message}
            </div>
          ))}
          <div>{t.unplacedStep}</div>
        </Flex>
      }
    />
  );
}
