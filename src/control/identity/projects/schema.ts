// What requests about projects may say.
import { Type } from 'typebox';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import { nameOf, objectOptions, open } from '../wire.ts';

/** A tag: no slash or comma, because it stands in paths and lists. */
const tag = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^,/\\x00-\\x1f\\x7f]+$' });
const tags = Type.Array(tag, { maxItems: 80, uniqueItems: true });

const fields = {
  domain_id: Type.Optional(nullable(idOf('domain'))),
  parent_id: Type.Optional(nullable(idOf('project'))),
  /** true: a domain, which some clients show as a project. */
  is_domain: Type.Optional(Type.Boolean()),
  description: Type.Optional(nullable(prose(4000))),
  enabled: Type.Optional(Type.Boolean()),
  tags: Type.Optional(tags),
  options: objectOptions,
};
export const newProject = open({ ...fields, name: nameOf(64) });
export const createProjectBody = strict({ project: newProject });
/** Domain, parent and is_domain cannot be changed; clients send the present value along. */
export const changedProject = open({ ...fields, name: Type.Optional(nameOf(64)) });
export const updateProjectBody = strict({ project: changedProject });

export const tagsBody = strict({ tags });

/** Comma-separated tags: projects that have all, or any, or not all, or none of them. */
const tagList = Type.Optional(text(2000));
export const projectFilters = Type.Object({
  domain_id: Type.Optional(idOf('domain')),
  parent_id: Type.Optional(idOf('project')),
  enabled: Type.Optional(Type.Boolean()),
  is_domain: Type.Optional(Type.Boolean()),
  tags: tagList,
  'tags-any': tagList,
  'not-tags': tagList,
  'not-tags-any': tagList,
});
