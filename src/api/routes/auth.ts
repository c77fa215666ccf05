/**
 * Registration of a command-line client by signing in with Discord or GitHub (oauth.ts).
 *
 * Whoever starts a registration could send somebody else to the provider's page and so come in as them. A browser is
 * therefore shown which client asks, for whom, and links nothing before its user presses a button; the button carries a
 * ticket that only this page knows. A program that follows the addresses itself gets the answer at once, as JSON.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  holdCliLogin,
  linkCli,
  openCliLogin,
  type SignedIn,
  takeCliLogin,
  takeHeldLogin,
} from '../../db/cli-logins.ts';
import type { TokenOwner } from '../../db/tokens.ts';
import {
  type Identity,
  type Provider,
  parseProvider,
  providerNames,
  tokenHash,
} from '../../domain/account.ts';
import { html, sendPage } from '../auth-page.ts';
import { recordOf } from '../changes.ts';
import { answerTo, Refusal } from '../errors.ts';
import { authorizeUrl, callbackUrl, fetchIdentity, type OAuthApp, readState, type SignIn } from '../oauth.ts';
import type { RouteParts, Server } from '../route.ts';

const FORM_LIMIT = 2048;
/** Of the client's id, on the page: enough to compare, too little to use. */
const SHOWN_ID_CHARS = 8;

const short = z.string().max(2000);
const linked = z.object({
  status: z.literal('success'),
  message: z.string(),
  user_id: z.string(),
  user_name: z.string(),
  is_reset: z.boolean(),
});
type Callback = { code?: string | undefined; state?: string | undefined; error?: string | undefined };

export function authRoutes(server: Server, parts: RouteParts & { signIn: SignIn }): void {
  const { sql, limits } = parts;

  server.get(
    '/auth/init',
    {
      onRequest: limits.signIn,
      schema: {
        summary: 'A new id for a command line, to be linked by signing in',
        tags: ['accounts'],
        querystring: z.object({ provider: short }),
        response: { 200: z.object({ state: z.uuid() }) },
      },
    },
    async ({ query }) => {
      const provider = knownProvider(query.provider);
      const cliId = randomUUID();
      await openCliLogin(sql, { sha256: tokenHash(cliId), provider });
      return { state: cliId };
    },
  );

  // For servers that the client does not know: it always opens the page of one certain host.
  server.get(
    '/auth/start/:provider',
    {
      onRequest: limits.signIn,
      schema: {
        summary: 'On to the sign-in page of the provider',
        tags: ['accounts'],
        params: z.object({ provider: short }),
        querystring: z.object({ cli_id: z.uuid(), reset: z.enum(['true', 'false']).default('false') }),
      },
    },
    async ({ params, query }, reply) => {
      const provider = knownProvider(params.provider);
      const { app, publicUrl } = configured(parts.signIn, provider);
      const state = { cliId: query.cli_id, isReset: query.reset === 'true' };
      return reply
        .header('referrer-policy', 'no-referrer')
        .header('cache-control', 'no-store')
        .redirect(authorizeUrl(app, provider, publicUrl, state), 302);
    },
  );

  server.get(
    '/auth/cli/:provider',
    {
      onRequest: limits.signIn,
      schema: {
        summary: 'Where the provider sends the browser back to',
        tags: ['accounts'],
        params: z.object({ provider: short }),
        querystring: z.object({ code: short.optional(), state: short.optional(), error: short.optional() }),
        response: { 200: linked },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      return orPage(request, reply, async () => {
        const { login, cliId } = await signIn(parts, request.params.provider, request.query);
        if (!isBrowser(request)) return answerLinked(await link(parts, login, request), login.isReset);
        recordOf(request).settle();
        const ticket = randomBytes(32).toString('base64url');
        await holdCliLogin(sql, { ...login, ticketSha256: tokenHash(ticket) });
        return confirmPage(reply, login.identity, cliId, ticket) as never;
      });
    },
  );

  server.register(async (scope) => {
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: FORM_LIMIT },
      async (_request: FastifyRequest, body: string) => Object.fromEntries(new URLSearchParams(body)),
    );
    scope.post(
      '/auth/cli/confirm',
      {
        onRequest: limits.signIn,
        schema: { hide: true, body: z.object({ ticket: short, answer: z.enum(['yes', 'no']) }) },
      },
      async (request, reply) =>
        orPage(request, reply, async () => {
          const { ticket, answer } = request.body as { ticket: string; answer: 'yes' | 'no' };
          const login = await takeHeldLogin(sql, tokenHash(ticket));
          if (!login) {
            throw new Refusal(
              400,
              'unknown-login',
              'This page was used already or is too old. Register again from your command line.',
            );
          }
          if (answer === 'no') {
            recordOf(request).settle();
            return sendPage(
              reply,
              200,
              'Nothing was linked',
              html`<p>That command line cannot come in as you. You may close this page.</p>`,
            );
          }
          const { userName } = await link(parts, login, request);
          return sendPage(
            reply,
            200,
            'Your command line is linked',
            html`<p>It submits as <strong>${userName}</strong> from now on. You may close this page.</p>`,
          );
        }),
    );
  });
}

function knownProvider(text: string): Provider {
  const provider = parseProvider(text);
  if (provider === null)
    throw new Refusal(400, 'unknown-provider', "Invalid provider, must be 'discord' or 'github'");
  return provider;
}

function configured(signIn: SignIn, provider: Provider): { app: OAuthApp; publicUrl: string } {
  const app = signIn.apps[provider];
  if (app && signIn.publicUrl !== null) return { app, publicUrl: signIn.publicUrl };
  throw new Refusal(
    404,
    'no-sign-in',
    `Sign-in with ${providerNames[provider]} is not set up on this server. Use /account link in Discord instead.`,
  );
}

/** From what the provider's redirect brings to who it is. The client's id is used up from here on, whatever happens. */
async function signIn(
  parts: RouteParts & { signIn: SignIn },
  providerText: string,
  query: Callback,
): Promise<{ login: SignedIn; cliId: string }> {
  const provider = knownProvider(providerText);
  const { app, publicUrl } = configured(parts.signIn, provider);
  const name = providerNames[provider];
  if (query.error !== undefined) {
    throw new Refusal(
      401,
      'sign-in-refused',
      `The sign-in with ${name} was not completed. Register again from your command line to try anew.`,
    );
  }
  if (!query.code || !query.state) throw new Refusal(400, 'invalid', 'Missing authorization code or state');
  const state = readState(query.state);
  if (!state)
    throw new Refusal(400, 'invalid', 'Invalid state parameter: it is not one that a command line makes.');
  const sha256 = tokenHash(state.cliId);
  if (!(await takeCliLogin(parts.sql, { sha256, provider }))) {
    throw new Refusal(
      400,
      'unknown-login',
      'This registration is unknown, was used already or is older than ten minutes. Register again from your command line.',
    );
  }
  const grant = { code: query.code, redirectUri: callbackUrl(publicUrl, provider) };
  const identity = await fetchIdentity(app, provider, grant, parts.log);
  return { login: { sha256, identity, isReset: state.isReset }, cliId: state.cliId };
}

async function link(parts: RouteParts, login: SignedIn, request: FastifyRequest): Promise<TokenOwner> {
  const owner = await linkCli(parts.sql, login, recordOf(request));
  const name = providerNames[login.identity.provider];
  if (owner === 'registered-already') {
    throw new Refusal(
      400,
      'registered-already',
      `This ${name} account has a valid registration already. Use "reregister" to replace it.`,
    );
  }
  if (owner === 'unknown-user') {
    throw new Refusal(
      400,
      'unknown-user',
      `There is no account of this ${name} user yet. Use "register" to create it.`,
    );
  }
  return owner;
}

function answerLinked(owner: TokenOwner, isReset: boolean): z.infer<typeof linked> {
  return {
    status: 'success',
    message: `The command line is linked to ${owner.userName}.`,
    user_id: owner.userId,
    user_name: owner.userName,
    is_reset: isReset,
  };
}

/**
 * Whether somebody's browser may be behind the request, with the sign-ins that it remembers: all but what a program sends.
 * A page cannot change these headers.
 */
function isBrowser({ headers }: FastifyRequest): boolean {
  const { accept = '*/*' } = headers;
  return (
    headers['sec-fetch-site'] !== undefined || !(accept === '*/*' || accept.includes('application/json'))
  );
}

/** A refusal as a page where a person looks at it, else as every refusal. */
async function orPage<T>(request: FastifyRequest, reply: FastifyReply, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const answer = answerTo(error, request.id);
    if (answer.isBug || !isBrowser(request)) throw error;
    return sendPage(reply, answer.status, 'Not linked', html`<p>${answer.body.detail}</p>`) as never;
  }
}

function confirmPage(reply: FastifyReply, identity: Identity, cliId: string, ticket: string): FastifyReply {
  const id = cliId.slice(0, SHOWN_ID_CHARS);
  return sendPage(
    reply,
    200,
    'Is this your command line?',
    html`<p>A command line asks to submit as <strong>${identity.name}</strong> (${providerNames[identity.provider]}). Its id begins with <code>${id}</code>; yours is in <code>~/.popcorn.yaml</code>.</p>
<p>If you did not just register one yourself, somebody else wants to come in as you.</p>
<form method="post" action="confirm"><input type="hidden" name="ticket" value="${ticket}"><button name="answer" value="yes">It is mine: link it</button><button name="answer" value="no">No</button></form>`,
  );
}
