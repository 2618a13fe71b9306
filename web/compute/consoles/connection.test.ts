// The pure parts of consoles in the browser.
import { expect, test } from 'vitest';
import { endReason, plainLog, protocolOf, socketAddress } from './connection.ts';

test('the socket of a console lies on the origin of the page', () => {
  const origin = 'https://cloud.example:8770';
  expect(socketAddress('ws://127.0.0.1:8770/console?token=a-b_C1', origin)).toBe(
    'wss://cloud.example:8770/console?token=a-b_C1',
  );
  expect(socketAddress('http://10.0.0.1/console?path=console%3Ftoken%3Dabc', 'http://127.0.0.1:1')).toBe(
    'ws://127.0.0.1:1/console?token=abc',
  );
});

test('what names no console of this cloud is not spoken to', () => {
  const origin = 'http://127.0.0.1:1';
  for (const url of [
    '/console',
    '/console?token=',
    '/console?path=https%3A%2F%2Fevil.example%2F%3Ftoken%3Dabc',
    '/console?path=%2F%2Fevil.example%2Fconsole%3Ftoken%3Dabc',
    '/console?path=console%3Ftoken%3Dabc%23x',
    '/identity?token=abc',
  ])
    expect(socketAddress(url, origin)).toBeNull();
});

test('every way in which the cloud ends a console has its words, and the rest is a lost connection', () => {
  expect([1000, 1001, 1011, 4403, 4404, 4408, 4409, 4410, 4429].map(endReason)).not.toContain('lost');
  expect([1006, 1009, 4999].map(endReason)).toEqual(['lost', 'lost', 'lost']);
});

test('a log is text: no colours, no cursor, no title', () => {
  expect(plainLog('\x1b[1;31mred\x1b[0m\r\n\x1b]0;title\x07next\x1b[6n\r\r\n\ttab\x07')).toBe(
    'red\nnext\n\ttab',
  );
  expect(plainLog('<b>&amp; \u4e2d')).toBe('<b>&amp; \u4e2d');
});

test('protocols as Nova pairs them with types', () => {
  expect((['novnc', 'serial', 'shell'] as const).map(protocolOf)).toEqual(['vnc', 'serial', 'serial']);
});
