// An operator's choice between the own project and all of them, kept for this tab.
import { Flex, Switch } from 'antd';
import { useState, type ReactNode } from 'react';
import { useText } from './language.tsx';
import { isOperator, useSession } from './session.ts';
import { kitText } from './text.ts';

/** `name`: of the resource, e.g. 'volumes'. The switch is null for who sees one project only. */
export function useEverywhere(name: string): { everywhere: boolean; toggle: ReactNode } {
  const t = useText(kitText);
  const operator = isOperator(useSession());
  const key = `strata-${name}-everywhere`;
  const [wanted, setWanted] = useState(() => sessionStorage.getItem(key) === '1');
  const choose = (next: boolean): void => {
    sessionStorage.setItem(key, next ? '1' : '0');
    setWanted(next);
  };
  return {
    everywhere: operator && wanted,
    toggle: operator ? (
      <Flex gap={8} align="center">
        <Switch checked={wanted} onChange={choose} aria-label={t.allProjects} />
        <span aria-hidden>{t.allProjects}</span>
      </Flex>
    ) : null,
  };
}
