// What `openstack console url show --novnc` leads to: a screen for whoever has the address, signed in or not.
import { Result } from 'antd';
import { useEffect, useMemo } from 'react';
import { useText } from '../../kit/language.tsx';
import { socketAddress } from './connection.ts';
import { Screen } from './graphical-console.tsx';
import { consolesText } from './text.ts';

/** The address is used up by opening it: neither the history nor a bookmark should keep it. */
const given = socketAddress(location.href, location.origin);
if (given !== null) history.replaceState(history.state, '', '/console');

export function AddressPage() {
  const t = useText(consolesText);
  const address = useMemo(() => async () => given ?? '', []);
  useEffect(() => {
    document.title = `${t.kinds.novnc} · Strata`;
  }, [t]);
  return (
    <main className="console-window" id="content">
      {given === null ? (
        <Result status="404" title={t.noAddress} />
      ) : (
        <Screen address={address} final={t.addressUsed} />
      )}
    </main>
  );
}
