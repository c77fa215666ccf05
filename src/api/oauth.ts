/**
 * Signing in with Discord or GitHub: OAuth 2.0, authorisation code grant (RFC 6749, section 4.1).
 *
 * A command-line client makes the address of the provider's page itself, and puts its own id into `state`:
 *
 *   client   GET /auth/init                            ->  an id: unknown to everybody else, good once, for minutes
 *   browser  provider's page?state={id, is_reset}      ->  /auth/cli/<provider>?code&state
 *   server   code -> the provider's token -> who it is ->  the id becomes a token of that account
 *
 * `state` is bound to the client that asked, not to the browser that comes back; so a browser is asked whether the client
 * is its user's own before anything is linked (routes/auth.ts). The provider's token is used once and kept nowhere.
 */
import { z } from 'zod';
import { type Identity, type Provider, providerNames } from '../domain/account.ts';
import type { Log } from '../log.ts';
import { Refusal } from './errors.ts';

/** An application at a provider, and where the provider is. */
export interface OAuthApp {
  clientId: string;
  clientSecret: string;
  authorizeUrl: string;
  tokenUrl: string;
  userUrl: string;
}

export interface SignIn {
  /** Under which people reach this server, without a slash at the end; null: nobody can be sent back to it. */
  publicUrl: string | null;
  apps: Record<Provider, OAuthApp | null>;
}

export interface LoginState {
  cliId: string;
  isReset: boolean;
}

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_STATE_LENGTH = 400;

const stateJson = z.object({ cli_id: z.uuid(), is_reset: z.boolean() });
const tokenJson = z.object({ access_token: z.string().min(1) });
const errorJson = z.object({ error: z.string().regex(/^[a-z_]{1,60}$/) });
const discordUser = z
  .object({
    id: z.string().regex(/^\d{1,20}$/),
    username: z.string().min(1),
    global_name: z.string().min(1).nullish(),
  })
  .transform((user) => ({ subject: user.id, name: user.global_name ?? user.username }));
const githubUser = z
  .object({ id: z.int().positive(), login: z.string().min(1) })
  .transform((user) => ({ subject: String(user.id), name: user.login }));
const userJson = { discord: discordUser, github: githubUser };

/** Null for anything that a client of ours would not send. */
export function readState(text: string): LoginState | null {
  if (text.length > MAX_STATE_LENGTH) return null;
  try {
    const state = stateJson.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    return { cliId: state.cli_id, isReset: state.is_reset };
  } catch {
    return null;
  }
}

function writeState(state: LoginState): string {
  return Buffer.from(JSON.stringify({ cli_id: state.cliId, is_reset: state.isReset })).toString('base64url');
}

export function callbackUrl(publicUrl: string, provider: Provider): string {
  return `${publicUrl}/auth/cli/${provider}`;
}

/** The provider's page on which the person says yes. Where it leads is configured; nothing of a request decides it. */
export function authorizeUrl(
  app: OAuthApp,
  provider: Provider,
  publicUrl: string,
  state: LoginState,
): string {
  const url = new URL(app.authorizeUrl);
  url.searchParams.set('client_id', app.clientId);
  url.searchParams.set('response_type', 'code');
  url.searchParams.set('redirect_uri', callbackUrl(publicUrl, provider));
  if (provider === 'discord') url.searchParams.set('scope', 'identify');
  url.searchParams.set('state', writeState(state));
  return url.href;
}

/** @throws Refusal 401 where the provider does not take the code, 502 where it cannot be asked */
export async function fetchIdentity(
  app: OAuthApp,
  provider: Provider,
  grant: { code: string; redirectUri: string },
  log: Log,
): Promise<Identity> {
  const exchanged = await ask(provider, log, app.tokenUrl, {
    method: 'POST',
    headers: { accept: 'application/json', 'user-agent': 'hotlap' },
    body: new URLSearchParams({
      client_id: app.clientId,
      client_secret: app.clientSecret,
      grant_type: 'authorization_code',
      code: grant.code,
      redirect_uri: grant.redirectUri,
    }),
  });
  const granted = tokenJson.safeParse(exchanged.body);
  // GitHub answers a bad code with 200 and an error inside.
  if (!granted.success) throw refusedBy(provider, log, exchanged);
  const asked = await ask(provider, log, app.userUrl, {
    headers: {
      accept: 'application/json',
      'user-agent': 'hotlap',
      authorization: `Bearer ${granted.data.access_token}`,
    },
  });
  const user = userJson[provider].safeParse(asked.body);
  if (asked.status !== 200 || !user.success) throw refusedBy(provider, log, asked);
  return { provider, ...user.data };
}

interface ProviderAnswer {
  status: number;
  body: unknown;
}

async function ask(provider: Provider, log: Log, url: string, init: RequestInit): Promise<ProviderAnswer> {
  const unusable = (details: object) => {
    log.warn({ ...details, provider, host: new URL(url).host }, 'a sign-in provider gave no usable answer');
    return away(provider);
  };
  let response: Response;
  let text: string;
  try {
    // A redirect would carry the secret elsewhere.
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    response = await fetch(url, { ...init, redirect: 'error', signal });
    text = await readText(response);
  } catch (error) {
    throw unusable({ error });
  }
  try {
    return { status: response.status, body: JSON.parse(text) };
  } catch {
    // The error would quote the text, and a token with it.
    throw unusable({ status: response.status });
  }
}

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** What the provider says in words stays with us: it may repeat what it was sent. */
function refusedBy(provider: Provider, log: Log, answer: ProviderAnswer): Refusal {
  const reason = errorJson.safeParse(answer.body).data?.error ?? null;
  log.warn({ provider, status: answer.status, reason }, 'a sign-in provider refused');
  if (answer.status >= 500) return away(provider);
  const name = providerNames[provider];
  return new Refusal(
    401,
    'sign-in-refused',
    `${name} did not confirm the sign-in${reason === null ? '' : ` (${reason})`}. Nothing was linked: register again from your command line.`,
  );
}

function away(provider: Provider): Refusal {
  const name = providerNames[provider];
  return new Refusal(
    502,
    'provider-away',
    `${name} could not be asked who you are. Nothing was linked: register again in a moment.`,
  );
}
