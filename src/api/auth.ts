/**
 * Who is asking. Three headers, as the existing clients send them (docs/api.md):
 *
 *   X-Popcorn-Cli-Id   a person, through a command line
 *   X-Web-Auth-Id      a person, through the website; wins where both are sent, without a fall-back
 *   Authorization      `Bearer` and a token of an organiser
 *
 * What a token means is asked through functions that are passed in. A token is never logged and never repeated.
 */
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import type { ContestRole } from '../domain/access.ts';
import { UserError } from '../domain/errors.ts';
import { Refusal } from './errors.ts';
import { patiently } from './patience.ts';

export interface Caller {
  userId: string;
  userName: string;
  /** By which header it came. */
  by: 'cli' | 'web';
}

export interface Admin {
  /** The account that made the token, or the name of the setting that it is in. */
  id: string;
  /** Whose token it is, for the records. */
  name: string;
}

/** Each takes a token as it was sent, and costs one indexed query at the most. */
export interface Accounts {
  findByCliId(token: string): Promise<{ userId: string; userName: string } | null>;
  findByWebId(token: string): Promise<{ userId: string; userName: string } | null>;
  /** Null too where no token is configured at all: then nobody is admin. */
  findAdmin(token: string): Promise<Admin | null>;
  /** Of an account, as they are now; none where nobody can be asked. */
  rolesOf(userId: string): Promise<readonly ContestRole[]>;
  /** Whether an account may submit. */
  takesPart(userId: string): Promise<boolean>;
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null;
    admin: Admin | null;
  }
}

/** The hooks for a route's `onRequest`: a stranger is refused before the body is read. */
export interface Guards {
  /** Sets `request.caller`; 400 without a header, 401 with a wrong one. */
  user: onRequestAsyncHookHandler;
  /** The same for routes that take the command line's header alone. */
  cliUser: onRequestAsyncHookHandler;
  /** No header: nobody in particular. A wrong one is refused all the same. */
  optionalUser: onRequestAsyncHookHandler;
  /** Sets `request.admin`. */
  admin: onRequestAsyncHookHandler;
  /** Either or both, where their headers are sent; nobody in particular else. A wrong one is refused all the same. */
  viewer: onRequestAsyncHookHandler;
  /** Like `user`, for accounts with the role of judges or admins; 403 for others. */
  judge: onRequestAsyncHookHandler;
  /** Behind `user` or `cliUser`, for what only those do who take part; 403 for others. */
  participant: onRequestAsyncHookHandler;
}

const MAX_TOKEN_LENGTH = 500;

/** `onRefused` is told of each wrong token, and may refuse further tries itself. */
export function guards(
  accounts: Accounts,
  onRefused: (request: FastifyRequest) => Promise<void> = async () => {},
): Guards {
  const refuse = async (request: FastifyRequest, detail: string): Promise<never> => {
    await onRefused(request);
    throw new Refusal(401, 'unauthorized', detail);
  };
  const find = async (request: FastifyRequest): Promise<Caller | null> => {
    const web = headerOf(request, 'x-web-auth-id');
    const cli = headerOf(request, 'x-popcorn-cli-id');
    const token = web ?? cli;
    if (token === null) return null;
    const by = web === null ? 'cli' : 'web';
    const find = by === 'web' ? accounts.findByWebId : accounts.findByCliId;
    const user = isToken(token) ? await patiently(() => find(token)) : null;
    return user ? { ...user, by } : refuse(request, 'Invalid or unauthorized auth header');
  };
  const findAdmin = async (request: FastifyRequest, header: string): Promise<Admin> => {
    const token = /^Bearer (\S+)$/.exec(header)?.[1] ?? '';
    const admin = isToken(token) ? await accounts.findAdmin(token) : null;
    return admin ?? refuse(request, 'Invalid admin token');
  };
  const getCaller = async (request: FastifyRequest): Promise<Caller> => {
    const caller = await find(request);
    if (!caller) throw new Refusal(400, 'no-user', 'Missing X-Web-Auth-Id or X-Popcorn-Cli-Id header');
    return caller;
  };
  return {
    async user(request) {
      request.caller = await getCaller(request);
    },
    async cliUser(request) {
      const token = headerOf(request, 'x-popcorn-cli-id');
      if (token === null) throw new Refusal(400, 'no-user', 'Missing X-Popcorn-Cli-Id header');
      const user = isToken(token) ? await accounts.findByCliId(token) : null;
      if (!user) await refuse(request, 'Invalid or unauthorized X-Popcorn-Cli-Id');
      else request.caller = { ...user, by: 'cli' };
    },
    async optionalUser(request) {
      request.caller = await find(request);
    },
    async admin(request) {
      const header = headerOf(request, 'authorization');
      if (header === null) throw new Refusal(401, 'unauthorized', 'Missing Authorization header');
      request.admin = await findAdmin(request, header);
    },
    async viewer(request) {
      request.caller = await find(request);
      const header = headerOf(request, 'authorization');
      // What a proxy before us asks for may come along.
      if (header?.startsWith('Bearer ')) request.admin = await findAdmin(request, header);
    },
    async judge(request) {
      request.caller = await getCaller(request);
      const roles = await known(request, accounts.rolesOf(request.caller.userId));
      if (!roles.includes('judge')) throw new UserError('not-a-judge');
    },
    async participant(request) {
      const { userId } = callerOf(request);
      if (!(await known(request, accounts.takesPart(userId)))) throw new UserError('participants-only');
    },
  };
}

/** Roles are Discord's, which may not answer. */
function known<T>(request: FastifyRequest, roles: Promise<T>): Promise<T> {
  return roles.catch((error: unknown) => {
    request.log.warn({ error }, 'roles not known');
    const detail = 'Discord does not say just now which role this account has. Try again.';
    throw new Refusal(503, 'roles-unknown', detail, 5);
  });
}

/** The caller behind a guard that lets nobody else through. */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw new Error('the route has no guard for users');
  return request.caller;
}

export function adminOf(request: FastifyRequest): Admin {
  if (!request.admin) throw new Error('the route has no guard for admins');
  return request.admin;
}

/** Null where it is missing, empty or sent twice. */
function headerOf(request: FastifyRequest, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}

/** Printable ASCII: anything else was never given out, and is not worth a query. */
function isToken(text: string): boolean {
  return text.length <= MAX_TOKEN_LENGTH && /^[\x21-\x7e]+$/.test(text);
}
