// Metadata as a form shows it: rows of key and value; and what the API allows.

/** Of the API: api-ref "Server metadata". */
export const METADATA_KEY = /^[a-zA-Z0-9\-_:. ]{1,255}$/;
// eslint-disable-next-line no-control-regex
export const TAG = /^[^,/\x00-\x1f\x7f]{1,60}$/;

export type MetadataRow = { key: string; value?: string };

export const rowsOf = (metadata: Readonly<Record<string, string>>): MetadataRow[] =>
  Object.entries(metadata)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([key, value]) => ({ key, value }));

/** Rows whose key is empty are not sent. */
export const metadataOf = (rows: readonly MetadataRow[]): Record<string, string> =>
  Object.fromEntries(rows.flatMap(({ key, value }) => (key === '' ? [] : [[key, value ?? '']])));
