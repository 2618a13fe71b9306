// JSON as clients send it: refused where no honest client would send it, before anything else looks at it.
import { isUtf8 } from 'node:buffer';
import { badRequest } from '../errors.ts';

/** Levels of a JSON body; the deepest honest one has fewer than ten, and what recurses over it has a stack. */
const MAX_DEPTH = 64;
const RESERVED = new Set(['__proto__', 'constructor']);

export function parseJson(raw: unknown): unknown {
  if (raw === undefined || raw === null) return undefined;
  if (!isUtf8(raw as Buffer)) throw badRequest('Malformed request body: it is not valid UTF-8.');
  const text = (raw as Buffer).toString('utf8');
  if (text.trim() === '') return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text) as unknown;
  } catch {
    throw badRequest('Malformed request body: it is not valid JSON.');
  }
  refuseHostile(parsed, 0);
  return parsed;
}

/** NUL and lone surrogates break text columns and C programs; reserved keys break objects. None has any honest use. */
function refuseHostile(value: unknown, depth: number): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed())
      throw badRequest('Malformed request body: it contains a NUL character or half a character.');
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (depth >= MAX_DEPTH)
    throw badRequest(`Malformed request body: it is nested more than ${MAX_DEPTH} levels deep.`);
  if (Array.isArray(value)) {
    for (const one of value) refuseHostile(one, depth + 1);
    return;
  }
  for (const [key, one] of Object.entries(value)) {
    if (RESERVED.has(key)) throw badRequest(`Malformed request body: the key ${key} is reserved.`);
    refuseHostile(key, depth);
    refuseHostile(one, depth + 1);
  }
}
