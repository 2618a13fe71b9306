// The lines of dnsmasq's files for the options of single ports.
import { expect, test } from 'vitest';
import { portBody } from '../conformance.ts';
import { parsePortOptions, portOptions } from './port-options.ts';

test('options hang on the MAC of their port; IPv6 addresses are in brackets; the files are their own index', () => {
  const port = portBody(1, {
    dhcpOptions: [
      { ipVersion: 4, name: 'bootfile-name', value: 'pxelinux.0' },
      { ipVersion: 4, name: '150', value: '203.0.113.9' },
      { ipVersion: 6, name: 'dns-server', value: '2001:db8::1,2001:db8::2' },
    ],
  });
  const lines = portOptions('abc', port);
  expect(lines).toEqual({
    macs: `dhcp-mac=set:pabc,${port.mac}\n`,
    options:
      'tag:pabc,option:bootfile-name,pxelinux.0\ntag:pabc,option:150,203.0.113.9\ntag:pabc,option6:dns-server,[2001:db8::1],[2001:db8::2]\n',
  });
  expect(parsePortOptions(lines.macs, lines.options)).toEqual(new Map([['abc', lines]]));
});

test('what could end the line, begin another or name an unknown option is left out', () => {
  for (const [name, value] of [
    ['bootfile-name', 'x\ndhcp-script=/bin/sh'],
    ['bootfile-name', 'x # y'],
    ['bootfile-name', '"x'],
    ['no-such-option', 'x'],
    ['bootfile-name,x', 'x'],
  ] as const)
    expect(portOptions('abc', portBody(1, { dhcpOptions: [{ ipVersion: 4, name, value }] }))).toEqual({
      macs: '',
      options: '',
    });
});
