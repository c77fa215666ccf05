/**
 * Accounts and the tokens that clients carry to name them. A token is random, is shown once and is kept as its SHA-256
 * alone: who reads the database or a backup of it can do nothing with it.
 */
import { createHash, randomBytes } from 'node:crypto';

export const providers = ['discord', 'github'] as const;
export type Provider = (typeof providers)[number];

export const providerNames: Record<Provider, string> = { discord: 'Discord', github: 'GitHub' };

export function parseProvider(text: unknown): Provider | null {
  return providers.find((provider) => provider === text) ?? null;
}

/** Somebody as their provider knows them. */
export interface Identity {
  provider: Provider;
  /** The provider's own id: a Discord id, a GitHub number. */
  subject: string;
  name: string;
}

/** A Discord id as it is, others with their provider. */
export function userIdOf(identity: Pick<Identity, 'provider' | 'subject'>): string {
  return identity.provider === 'discord' ? identity.subject : `${identity.provider}:${identity.subject}`;
}

/** personal: from `/account link`. cli: a client's own registration. admin: opens the admin routes. */
export const tokenKinds = ['personal', 'cli', 'admin'] as const;
export type TokenKind = (typeof tokenKinds)[number];
/** With which somebody comes in as themselves. */
export const ownTokenKinds: TokenKind[] = ['personal', 'cli'];

/** What is known of a token that works. */
export interface TokenView {
  id: number;
  kind: TokenKind;
  name: string;
  /** Of an admin token: who made it. */
  userId: string;
  userName: string;
  createdAt: Date;
  lastUsedAt: Date | null;
}

/** More are a sign of a script that forgot to revoke. */
export const MAX_OWN_TOKENS = 10;

/** 256 random bits behind a name by which scanners for lost secrets can know it. */
export function makeToken(): string {
  return `hotlap_${randomBytes(32).toString('base64url')}`;
}

/** In hex. The token has more than enough randomness: no salt, no slow hash. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
