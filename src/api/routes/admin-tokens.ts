/** For organisers: tokens for people, on a server where nobody can ask for one in Discord or sign in. */
import { z } from 'zod';
import { insertPersonalToken, revokeTokens } from '../../db/tokens.ts';
import { findUserName } from '../../db/users.ts';
import { MAX_OWN_TOKENS, makeToken, ownTokenKinds, tokenHash } from '../../domain/account.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import { Refusal } from '../errors.ts';
import type { RouteParts, Server } from '../route.ts';
import { bad, failures, nameParam, okStatus } from '../schemas.ts';

/** Accounts of no provider have a letter in their name, so that the website never takes one for another. */
const USER_ID = /^(\d{17,20}|github:\d{1,16}|local:[a-z][\w.-]{0,60})$/;

export function adminTokenRoutes(server: Server, { sql, guards }: RouteParts): void {
  const admin = { onRequest: guards.admin };
  const tags = { tags: ['admin'], security: security.admin };

  server.post(
    '/admin/tokens',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'A token for a person, shown this once; with it they submit as themselves',
        body: z.object({
          user_id: nameParam.describe('A Discord id, `github:` and a number, or `local:` and a name'),
          user_name: z.string().trim().min(1).max(80).optional().describe('For one who is not known yet'),
          name: z.string().trim().min(1).max(50).default('token').describe('By which they know it again'),
        }),
        response: {
          200: z.object({ status: okStatus, id: z.int(), user_id: z.string(), token: z.string() }),
          ...failures,
        },
      },
    },
    async (request) => {
      const { user_id: userId, name, user_name: givenName } = request.body;
      if (!USER_ID.test(userId)) {
        throw bad(
          'user_id must be a Discord id, `github:` and a number, or `local:` and a name in small letters',
        );
      }
      const userName = givenName ?? (await findUserName(sql, userId));
      if (userName === null) throw bad('Missing required field: user_name, for a user who is not known yet');
      const token = makeToken();
      const user = { id: userId, name: userName };
      const id = await insertPersonalToken(sql, user, { sha256: tokenHash(token), name }, recordOf(request));
      if (id === null) {
        throw new Refusal(
          409,
          'too-many-tokens',
          `User ${userId} has ${MAX_OWN_TOKENS} tokens; revoke them first.`,
        );
      }
      return { status: 'ok' as const, id, user_id: userId, token };
    },
  );

  server.delete(
    '/admin/tokens/:user',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'Revoke all tokens of a person, those of registered command lines too',
        params: z.object({ user: nameParam }),
        response: {
          200: z.object({ status: okStatus, user_id: z.string(), revoked: z.int() }),
          ...failures,
        },
      },
    },
    async (request) => {
      const { user } = request.params;
      if ((await findUserName(sql, user)) === null) {
        throw new Refusal(404, 'unknown-user', `User ${user} not found`);
      }
      const record = recordOf(request);
      const revoked = await sql.begin(async (tx) => {
        const count = await revokeTokens(tx, { kinds: ownTokenKinds, userId: user });
        if (count > 0) await record.note(tx, { subject: `user ${user}`, after: { revoked: count } });
        return count;
      });
      if (revoked === 0) record.settle();
      return { status: 'ok' as const, user_id: user, revoked };
    },
  );
}
