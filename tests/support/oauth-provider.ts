/**
 * Stand-in for Discord and GitHub as places to sign in: one HTTP server that speaks both of their wires, with their own
 * ways to refuse (Discord 400 with an error, GitHub 200 with an error inside).
 *
 * The person in the browser is `account`: whoever opens the sign-in page is sent back at once as them.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ProviderAccount {
  discord: { id: string; username: string; global_name: string | null };
  github: { id: number; login: string };
}

/** What the provider does instead of answering as it should. */
export type ProviderFault = 'hangs-up' | 'breaks' | 'speaks-html' | 'redirects' | 'floods' | 'forgets-who';

type ProviderName = keyof ProviderAccount;

export class OAuthProvider {
  readonly clientId = '223344556677889900';
  readonly clientSecret = `secret-${randomBytes(12).toString('hex')}`;
  readonly redirectBase: string;
  account: ProviderAccount = {
    discord: { id: '112233445566778899', username: 'ada', global_name: 'Ada' },
    github: { id: 583_231, login: 'octo' },
  };
  /** The person presses "Cancel" on the provider's page. */
  denies = false;
  fault: ProviderFault | null = null;
  /** Everything that it handed out and that nobody else should keep. */
  readonly secrets: string[] = [this.clientSecret];
  /** How often somebody who was redirected came by. */
  strayRequests = 0;
  readonly #codes = new Map<string, { provider: ProviderName; redirectUri: string }>();
  readonly #tokens = new Map<string, ProviderName>();
  readonly #server = createServer((request, response) => void this.#handle(request, response));

  /** `redirectBase`: the address that is registered for the application. */
  constructor(redirectBase: string) {
    this.redirectBase = redirectBase;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The settings of a Hotlap that signs in here. */
  get env(): Record<string, string> {
    return {
      HOTLAP_PUBLIC_URL: this.redirectBase,
      DISCORD_APPLICATION_ID: this.clientId,
      DISCORD_CLIENT_SECRET: this.clientSecret,
      DISCORD_AUTHORIZE_URL: `${this.url}/oauth2/authorize`,
      DISCORD_API_URL: `${this.url}/api`,
      GITHUB_CLIENT_ID: this.clientId,
      GITHUB_CLIENT_SECRET: this.clientSecret,
      GITHUB_URL: this.url,
      GITHUB_API_URL: this.url,
    };
  }

  /** Opens the sign-in page and returns where the browser is sent then: path and query below `redirectBase`. */
  async visit(authorizeUrl: string): Promise<string> {
    const response = await fetch(authorizeUrl, { redirect: 'manual' });
    const location = response.headers.get('location');
    if (response.status !== 302 || location === null) {
      throw new Error(`the provider's page says ${response.status}: ${await response.text()}`);
    }
    if (!location.startsWith(this.redirectBase)) throw new Error(`sent elsewhere: ${location}`);
    return location.slice(this.redirectBase.length);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url ?? '/', this.url);
    const route = `${request.method} ${url.pathname}`;
    const body = new URLSearchParams(await textOf(request));
    if (route === 'GET /oauth2/authorize') return this.#authorize('discord', url, response);
    if (route === 'GET /login/oauth/authorize') return this.#authorize('github', url, response);
    if (url.pathname === '/elsewhere') this.strayRequests += 1;
    if (this.#misbehaves(response)) return;
    switch (route) {
      case 'POST /api/oauth2/token': {
        const error =
          this.#refusal('discord', body) ??
          (body.get('grant_type') === 'authorization_code' ? null : 'unsupported_grant_type');
        return error ? sendJson(response, 400, { error }) : sendJson(response, 200, this.#grant('discord'));
      }
      case 'POST /login/oauth/access_token': {
        const error = this.#refusal('github', body) && 'bad_verification_code';
        const answer = error
          ? {
              error,
              error_description: `The code ${body.get('code')} is incorrect.`,
              error_uri: 'https://docs',
            }
          : this.#grant('github');
        if (request.headers.accept === 'application/json') return sendJson(response, 200, answer);
        response.end(new URLSearchParams(answer).toString());
        return;
      }
      case 'GET /api/v10/users/@me':
        return this.#whoIs('discord', request, response);
      case 'GET /user':
        return this.#whoIs('github', request, response);
      default:
        return sendJson(response, 404, { message: 'Not Found' });
    }
  }

  #authorize(provider: ProviderName, url: URL, response: ServerResponse) {
    const redirectUri = url.searchParams.get('redirect_uri') ?? '';
    if (url.searchParams.get('client_id') !== this.clientId)
      return sendJson(response, 400, { error: 'client' });
    if (redirectUri !== `${this.redirectBase}/auth/cli/${provider}`)
      return sendJson(response, 400, { error: 'redirect_uri' });
    if (provider === 'discord' && url.searchParams.get('scope') !== 'identify')
      return sendJson(response, 400, { error: 'scope' });
    const back = new URL(redirectUri);
    back.searchParams.set('state', url.searchParams.get('state') ?? '');
    if (this.denies) {
      back.searchParams.set('error', 'access_denied');
    } else {
      const code = randomBytes(15).toString('hex');
      this.secrets.push(code);
      this.#codes.set(code, { provider, redirectUri });
      back.searchParams.set('code', code);
    }
    response.writeHead(302, { location: back.href }).end();
  }

  #refusal(provider: ProviderName, body: URLSearchParams): string | null {
    if (body.get('client_id') !== this.clientId || body.get('client_secret') !== this.clientSecret)
      return 'invalid_client';
    const code = body.get('code') ?? '';
    const known = this.#codes.get(code);
    this.#codes.delete(code);
    return known?.provider === provider && known.redirectUri === body.get('redirect_uri')
      ? null
      : 'invalid_grant';
  }

  #grant(provider: ProviderName): Record<string, string> {
    const token = randomBytes(20).toString('hex');
    this.secrets.push(token);
    this.#tokens.set(token, provider);
    return { access_token: token, token_type: 'bearer', scope: provider === 'discord' ? 'identify' : '' };
  }

  #whoIs(provider: ProviderName, request: IncomingMessage, response: ServerResponse) {
    // GitHub refuses requests without this one.
    if (!request.headers['user-agent']) return sendJson(response, 403, { message: 'Request forbidden' });
    const token = /^Bearer (\w+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (this.#tokens.get(token) !== provider) return sendJson(response, 401, { message: 'Bad credentials' });
    sendJson(response, 200, this.fault === 'forgets-who' ? { id: null } : this.account[provider]);
  }

  #misbehaves(response: ServerResponse): boolean {
    switch (this.fault) {
      case 'hangs-up':
        response.destroy();
        return true;
      case 'breaks':
        sendJson(response, 503, { error: 'unavailable' });
        return true;
      case 'speaks-html':
        response.end('<html>maintenance</html>');
        return true;
      case 'redirects':
        response.writeHead(307, { location: `${this.url}/elsewhere` }).end();
        return true;
      case 'floods':
        response.end(JSON.stringify({ access_token: 'x'.repeat(1_000_000) }));
        return true;
      default:
        return false;
    }
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}
