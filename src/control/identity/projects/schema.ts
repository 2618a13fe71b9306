// What requests about projects may say.
import { Type } from 'typebox';
import { idOf, nullable, prose, strict, text } from '../../../kernel/schema.ts';
import { listQuery, nameOf, noOptions } from '../wire.ts';

/** A tag: no slash or comma, because it stands in paths and lists. */
const tag = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^,/\\x00-\\x1f\\x7f]+$' });
const tags = Type.Array(tag, { maxItems: 80, uniqueItems: true });

export const createProjectBody = strict({
  project: strict({
    name: nameOf(64),
    domain_id: Type.Optional(nullable(idOf('domain'))),
    parent_id: Type.Optional(nullable(idOf('project'))),
    description: Type.Optional(nullable(prose(4000))),
    enabled: Type.Optional(Type.Boolean()),
    is_domain: Type.Optional(Type.Literal(false)),
    tags: Type.Optional(tags),
    options: noOptions,
  }),
});

export const updateProjectBody = strict({
  project: strict({
    name: Type.Optional(nameOf(64)),
    /** Neither can be changed; clients send the present value along. */
    domain_id: Type.Optional(nullable(idOf('domain'))),
    parent_id: Type.Optional(nullable(idOf('project'))),
    is_domain: Type.Optional(Type.Literal(false)),
    description: Type.Optional(nullable(prose(4000))),
    enabled: Type.Optional(Type.Boolean()),
    tags: Type.Optional(tags),
    options: noOptions,
  }),
});

export const tagsBody = strict({ tags });

export const projectQuery = listQuery('project', {
  name: Type.Optional(text()),
  domain_id: Type.Optional(idOf('domain')),
  parent_id: Type.Optional(idOf('project')),
  enabled: Type.Optional(Type.Boolean()),
  is_domain: Type.Optional(Type.Boolean()),
  /** Comma-separated: projects that have all, or any, of them. */
  tags: Type.Optional(text(2000)),
  'tags-any': Type.Optional(text(2000)),
});
