// Where everybody begins: what is left of the quotas, what needs attention, what was done last.
import { useNavigate, useRouter } from '@tanstack/react-router';
import { Alert, Button, Card, Col, Flex, Row } from 'antd';
import { appText } from '../app/text.ts';
import { EventList } from '../audit/event-list.tsx';
import { useText } from '../kit/language.tsx';
import { To } from '../kit/link.tsx';
import { PageFrame } from '../kit/page.tsx';
import { isOperator, useSession } from '../kit/session.ts';
import { AttentionCard } from './attention-card.tsx';
import { CloudCard } from './cloud-card.tsx';
import { QuotasCard } from './quotas-card.tsx';
import { overviewText } from './text.ts';

const quick = [
  ['/servers', 'servers'],
  ['/topology', 'topology'],
  ['/networks', 'networks'],
  ['/volumes', 'volumes'],
  ['/images', 'images'],
  ['/floating-ips', 'floatingIps'],
] as const;

function QuickLinks() {
  const t = useText(overviewText);
  const { pages } = useText(appText);
  const { routesByPath } = useRouter();
  const navigate = useNavigate();
  const there = quick.filter(([path]) => Object.hasOwn(routesByPath as Record<string, unknown>, path));
  if (there.length === 0) return null;
  return (
    <Flex gap={8} wrap role="navigation" aria-label={t.links}>
      {there.map(([path, name]) => (
        <Button key={path} onClick={() => void navigate({ to: path })}>
          {pages[name]}
        </Button>
      ))}
    </Flex>
  );
}

export function OverviewPage() {
  const t = useText(overviewText);
  const session = useSession();
  const { project } = session;
  return (
    <PageFrame title={t.title} extra={<QuickLinks />}>
      {isOperator(session) ? <CloudCard /> : null}
      {project === null ? (
        <Alert type="info" showIcon title={t.noProject} />
      ) : (
        <Row gutter={[16, 16]}>
          <Col xs={24} xl={15}>
            <Flex vertical gap={16}>
              <AttentionCard projectId={project.id} />
              <QuotasCard projectId={project.id} />
            </Flex>
          </Col>
          <Col xs={24} xl={9}>
            <Card size="small" title={t.activity} extra={<To to="/audit-log">{t.all}</To>}>
              <EventList filter={{ project_id: project.id }} limit={12} showProject={false} />
            </Card>
          </Col>
        </Row>
      )}
    </PageFrame>
  );
}
