// The body of POST /v3/auth/tokens.
import { Type, type Static } from 'typebox';
import { idOf, strict, text } from '../../../kernel/schema.ts';

const domain = strict({ id: Type.Optional(idOf('none')), name: Type.Optional(text(64, 1)) });

/** By id, or by name in a domain. Ids are not marked as objects: with them one proves who one is, or asks for a scope. */
const named = {
  id: Type.Optional(idOf('none')),
  name: Type.Optional(text(255, 1)),
  domain: Type.Optional(domain),
};
const user = strict({ ...named, password: Type.String({ maxLength: 4096 }) });
const project = strict({
  id: Type.Optional(idOf('none')),
  name: Type.Optional(text(64, 1)),
  domain: Type.Optional(domain),
});

export const authBody = strict({
  auth: strict({
    identity: strict({
      methods: Type.Array(text(64, 1), { minItems: 1, maxItems: 4, uniqueItems: true }),
      password: Type.Optional(strict({ user })),
      application_credential: Type.Optional(
        strict({
          id: Type.Optional(idOf('none')),
          name: Type.Optional(text(255, 1)),
          user: Type.Optional(strict(named)),
          secret: Type.String({ maxLength: 1024 }),
        }),
      ),
      totp: Type.Optional(strict({ user: strict({ ...named, passcode: text(16, 1) }) })),
      token: Type.Optional(strict({ id: Type.String({ minLength: 1, maxLength: 16_384 }) })),
    }),
    scope: Type.Optional(
      Type.Union([
        Type.Literal('unscoped'),
        strict({
          project: Type.Optional(project),
          domain: Type.Optional(domain),
          system: Type.Optional(strict({ all: Type.Literal(true) })),
          'OS-TRUST:trust': Type.Optional(strict({ id: idOf('none') })),
          unscoped: Type.Optional(strict({})),
        }),
      ]),
    ),
  }),
});

export type AuthBody = Static<typeof authBody>['auth'];
export type DomainRef = Static<typeof domain>;
export type ProjectRef = Static<typeof project>;
export type PasswordRef = Static<typeof user>;
export type UserRef = Omit<PasswordRef, 'password'>;
export type CredentialRef = NonNullable<AuthBody['identity']['application_credential']>;
export type ScopeRef = AuthBody['scope'];
