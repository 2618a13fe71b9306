// Files that a user sends along with a new server, up to microversion 2.56: api-ref "personality". They reach the guest
// on its config drive, so that a server that has some has one.
import { Type, type Static } from 'typebox';
import type { Tx } from '../../../kernel/db/index.ts';
import { badRequest, forbidden } from '../../../kernel/errors.ts';
import type { Ctx } from '../../../kernel/platform.ts';
import { strict, text } from '../../../kernel/schema.ts';

/** Bounds of what is read at all; the quota says how much is taken. */
export const personality = Type.Array(
  strict({
    path: text(1024, 1),
    contents: Type.String({ maxLength: 1_000_000, pattern: '^[A-Za-z0-9+/=\\r\\n]*$' }),
  }),
  { maxItems: 100 },
);

export type InjectedFile = { path: string; /** Base64. */ contents: string };

export const readFiles = (asked: Static<typeof personality> | undefined): InjectedFile[] =>
  (asked ?? []).map(({ path, contents }, at) => {
    const compact = contents.replace(/[\r\n]/g, '');
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact))
      throw badRequest(
        `Invalid input for field/attribute personality.${at}.contents. The contents of ${path} must be base64.`,
      );
    return { path, contents: compact };
  });

/** 403 where files are too many, too large, or their paths too long for the project. */
export async function refuseTooManyFiles(
  tx: Tx,
  ctx: Ctx,
  projectId: string,
  files: readonly InjectedFile[],
): Promise<void> {
  if (files.length === 0) return;
  const limits = await ctx.platform.quotas.limits(tx, projectId);
  const over = (name: string, value: number): boolean =>
    (limits[name] ?? -1) >= 0 && value > (limits[name] ?? 0);
  if (over('injected_files', files.length))
    throw forbidden(
      `Quota exceeded, too many files in personality: ${files.length} were sent, at most ${limits['injected_files']} are taken.`,
      'OnsetFileLimitExceeded',
    );
  for (const { path, contents } of files) {
    const bytes = Buffer.byteLength(contents, 'base64');
    if (over('injected_file_content_bytes', bytes))
      throw forbidden(
        `Quota exceeded, content of personality file too long: ${path} has ${bytes} bytes, at most ${limits['injected_file_content_bytes']} are taken.`,
        'OnsetFileContentLimitExceeded',
      );
    if (over('injected_file_path_bytes', Buffer.byteLength(path)))
      throw forbidden(
        `Quota exceeded, path of personality file too long: at most ${limits['injected_file_path_bytes']} bytes are taken.`,
        'OnsetFilePathLimitExceeded',
      );
  }
}
