-- Who may come in through the HTTP door: accounts at Discord and GitHub, and what clients carry to name themselves.

-- An account at a provider, once its owner has signed in with it.
create table hotlap.identities (
  provider text not null check (provider in ('discord', 'github')),
  -- The provider's own id of the account.
  subject text not null,
  user_id text not null references hotlap.users,
  name text not null,
  created_at timestamptz not null default now(),
  last_sign_in_at timestamptz not null default now(),
  primary key (provider, subject)
);
create index identities_user on hotlap.identities (user_id);

-- personal: given out in Discord. cli: made by a command-line client's own registration. admin: opens the admin routes.
create table hotlap.api_tokens (
  id bigint generated always as identity primary key,
  -- In hex. The token itself is shown once and stored nowhere; it is random, so a plain hash is enough.
  sha256 text not null unique check (sha256 ~ '^[0-9a-f]{64}$'),
  kind text not null check (kind in ('personal', 'cli', 'admin')),
  -- Whose it is; of an admin token, who made it.
  user_id text not null references hotlap.users,
  name text not null,
  created_at timestamptz not null default now(),
  -- Noted every few minutes, not at every request.
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index api_tokens_live on hotlap.api_tokens (user_id) where revoked_at is null;

-- A command-line client that asked for an id and whose owner has yet to say who they are. The row goes when the id is
-- linked, refused or too old: it works once.
--
--   asked  --the provider says who it is-->  signed in  --the owner confirms it in the browser-->  a token
create table hotlap.cli_logins (
  sha256 text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
  provider text not null check (provider in ('discord', 'github')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  -- Signed in: what the confirmation in the browser must bring, and who it was.
  ticket_sha256 text unique check (ticket_sha256 ~ '^[0-9a-f]{64}$'),
  subject text,
  name text,
  is_reset boolean,
  check (num_nulls(ticket_sha256, subject, name, is_reset) in (0, 4))
);
create index cli_logins_expired on hotlap.cli_logins (expires_at);
