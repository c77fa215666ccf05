/**
 * The configuration: one table of environment variables, read once.
 *
 * `parseConfig` is pure. It looks at every variable before it speaks, so that a person who sets up Hotlap meets all
 * faults in one go and not one per start. The same table makes `.env.example`; a test holds the two equal.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { z } from 'zod';
import { missingForSignIn, type SignInApps, signInApps } from './config-sign-in.ts';
import {
  address,
  isUrl,
  list,
  optional,
  SNOWFLAKE,
  snowflake,
  type Variable,
  variable,
  wholeNumber,
} from './config-variable.ts';

type Environment = Record<string, string | undefined>;

/** The parts that a process may run: several processes can share the work over one database. */
export const roles = ['discord', 'scheduler', 'api'] as const;
export type Role = (typeof roles)[number];

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** Every variable that Hotlap reads, in the order of `.env.example`. */
export const variables = {
  DISCORD_TOKEN: variable({
    doc: 'Bot token of your Discord application. Unset: no Discord, the playground in your browser instead.',
    should: 'the bot token from the developer portal: three parts joined by dots, without "Bot " in front',
    schema: optional(z.string().regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)),
    secret: true,
  }),
  DISCORD_GUILD_ID: variable({
    doc: 'Server in which the commands are registered. Required with DISCORD_TOKEN.',
    should: SNOWFLAKE,
    schema: snowflake,
  }),
  DISCORD_ADMIN_ROLE_ID: variable({
    doc: 'Role whose members may use the admin commands. Required with DISCORD_TOKEN.',
    should: SNOWFLAKE,
    schema: snowflake,
  }),
  DISCORD_CREATOR_ROLE_ID: variable({
    doc: 'Role whose members make leaderboards and run those that they made. Unset: admins alone.',
    should: SNOWFLAKE,
    schema: snowflake,
  }),
  DISCORD_JUDGE_ROLE_ID: variable({
    doc: 'Role whose members score submissions. Unset: admins alone.',
    should: SNOWFLAKE,
    schema: snowflake,
  }),
  DISCORD_PARTICIPANT_ROLE_ID: variable({
    doc: 'Role whose members may submit. Unset: everybody.',
    should: SNOWFLAKE,
    schema: snowflake,
  }),
  DISCORD_CHANNEL_ID: variable({
    doc: 'Channel for announcements of ranked results. Unset: the channel in which the file was submitted.',
    should: SNOWFLAKE,
    schema: snowflake,
  }),
  DISCORD_ADMIN_CHANNEL_ID: variable({
    doc: 'Channel in which organisers are told about trouble with boxes and channels. Unset: the log only.',
    should: SNOWFLAKE,
    schema: snowflake,
  }),
  DISCORD_FORUM_CHANNEL_ID: variable({
    doc: 'Forum in which each public leaderboard has a thread. Unset: no threads.',
    should: SNOWFLAKE,
    schema: snowflake,
  }),
  DISCORD_APPLICATION_ID: variable({
    doc: 'Id of the Discord application. Unset: taken from the token.',
    should: SNOWFLAKE,
    schema: snowflake,
  }),
  DISCORD_API_URL: variable({
    doc: "Base address of Discord's REST API; another one only for a stand-in.",
    should: 'an http:// or https:// address such as https://discord.com/api',
    schema: address('https://discord.com/api'),
  }),
  HOTLAP_PODIUM_SETTLE_S: variable({
    doc: 'Seconds that a new podium (the first three) stands before it is announced; changes meanwhile are one announcement.',
    should: 'a whole number from 0 to 86400',
    schema: wholeNumber(0, 86_400, 60),
  }),
  DATABASE_URL: variable({
    doc: 'PostgreSQL database to use. Unset: a PostgreSQL server of our own with its data in HOTLAP_DATA_DIR.',
    should: 'a postgres:// or postgresql:// address such as postgres://user:password@host:5432/hotlap',
    schema: optional(z.string().refine((text) => isUrl(text, ['postgres:', 'postgresql:']))),
    secret: true,
  }),
  HOTLAP_DATA_DIR: variable({
    doc: 'Folder for everything that Hotlap keeps on this machine.',
    should: 'the path of a folder',
    schema: z.string().default('.hotlap'),
  }),
  HOTLAP_PROBLEMS_DIR: variable({
    doc: 'Folder with the problem sets.',
    should: 'the path of a folder',
    schema: z.string().default('problems'),
  }),
  HOTLAP_PLAYGROUND_PORT: variable({
    doc: 'Port of the playground on 127.0.0.1; 0 takes any free one.',
    should: 'a whole number from 0 to 65535',
    schema: wholeNumber(0, 65_535, 8765),
  }),
  HOTLAP_API_PORT: variable({
    doc: 'Port of the HTTP API; 0 takes any free one.',
    should: 'a whole number from 0 to 65535',
    schema: wholeNumber(0, 65_535, 8766),
  }),
  HOTLAP_API_HOST: variable({
    doc: 'Address that the HTTP API listens on: 127.0.0.1 for this machine alone, 0.0.0.0 for everybody.',
    should: 'an IP address of this machine, or a name for one',
    schema: z
      .string()
      .regex(/^[\w.:-]+$/)
      .default('127.0.0.1'),
  }),
  HOTLAP_PUBLIC_URL: variable({
    doc: 'Address under which people reach the HTTP API. Unset: told to nobody, and no sign-in with Discord or GitHub.',
    should: 'an http:// or https:// address without query, such as https://hotlap.example.org',
    schema: optional(
      z
        .string()
        .refine((text) => isUrl(text, ['http:', 'https:']) && !/[?#]/.test(text))
        .transform((text) => text.replace(/\/+$/, '')),
    ),
  }),
  HOTLAP_ADMIN_TOKEN: variable({
    doc: 'Opens the admin routes of the HTTP API. Unset: only tokens of /admin token create do.',
    should: 'at least 24 characters without spaces, such as the output of: openssl rand -hex 32',
    schema: optional(z.string().regex(/^[\x21-\x7e]{24,400}$/)),
    secret: true,
  }),
  DISCORD_CLIENT_SECRET: variable({
    doc: 'OAuth2 secret of the Discord application: sign-in with Discord for command lines. Needs DISCORD_APPLICATION_ID.',
    should: 'the client secret from the developer portal',
    schema: optional(z.string().regex(/^\S+$/)),
    secret: true,
  }),
  DISCORD_AUTHORIZE_URL: variable({
    doc: "Discord's sign-in page; another one only for a stand-in.",
    should: 'an http:// or https:// address such as https://discord.com/oauth2/authorize',
    schema: address('https://discord.com/oauth2/authorize'),
  }),
  GITHUB_CLIENT_ID: variable({
    doc: 'Client id of an OAuth app on GitHub: sign-in with GitHub for command lines. Needs GITHUB_CLIENT_SECRET.',
    should: 'the client id from the settings of the OAuth app',
    schema: optional(z.string().regex(/^[\w.-]+$/)),
  }),
  GITHUB_CLIENT_SECRET: variable({
    doc: 'Client secret of that OAuth app.',
    should: 'the client secret from the settings of the OAuth app',
    schema: optional(z.string().regex(/^\S+$/)),
    secret: true,
  }),
  GITHUB_URL: variable({
    doc: 'GitHub, or a GitHub Enterprise server.',
    should: 'an http:// or https:// address such as https://github.com',
    schema: address('https://github.com'),
  }),
  GITHUB_API_URL: variable({
    doc: "Its API; an Enterprise server's ends in /api/v3.",
    should: 'an http:// or https:// address such as https://api.github.com',
    schema: address('https://api.github.com'),
  }),
  HOTLAP_API_TRUSTED_PROXIES: variable({
    doc: 'Reverse proxies in front of the HTTP API, addresses or networks with commas between, whose word on whom they speak for is taken. Unset: none.',
    should: 'IP addresses or networks with commas between, such as 127.0.0.1,10.0.0.0/8',
    schema: list(/^[\da-fA-F.:]+(\/\d{1,3})?$/),
  }),
  HOTLAP_API_CORS_ORIGINS: variable({
    doc: 'Web pages of other origins that may call the HTTP API, with commas between. Unset: none.',
    should: 'origins with commas between, such as https://example.org',
    schema: list(/^https?:\/\/[^\s/,]+$/),
  }),
  HOTLAP_SSH_KEY: variable({
    doc: 'Private key for the boxes. Unset: ssh/id_ed25519 in HOTLAP_DATA_DIR, made when first needed.',
    should: 'the path of a private key file',
    schema: optional(z.string()),
  }),
  HOTLAP_LOCAL_BOX: variable({
    doc: 'Whether this machine is a box. auto: as long as no other box is registered.',
    should: 'auto, on or off',
    schema: z.enum(['auto', 'on', 'off']).default('auto'),
  }),
  HOTLAP_LOCAL_GPU: variable({
    doc: 'GPU type of this machine as a box. Unset: what is found, CPU where there is none.',
    should: 'a GPU type of letters, digits, "-", "_" or ".", such as H100',
    schema: optional(z.string().regex(/^[A-Za-z0-9][\w.-]{0,31}$/)),
  }),
  HOTLAP_LOCAL_SLOTS: variable({
    doc: 'How many jobs this machine runs at once; more than one makes timings disturb each other.',
    should: 'a whole number from 1 to 64',
    schema: wholeNumber(1, 64, 1),
  }),
  HOTLAP_ROLES: variable({
    doc: 'What this process does, with commas between: discord (the bot), scheduler (runs jobs on boxes), api (HTTP).',
    should: `one or more of ${roles.join(', ')}, with commas between`,
    schema: z
      .string()
      .default(roles.join(','))
      .transform((text) => text.split(',').map((role) => role.trim()))
      .pipe(z.array(z.enum(roles)).min(1)),
  }),
  HOTLAP_LOG_LEVEL: variable({
    doc: `Least level that is logged: ${logLevels.join(', ')}.`,
    should: `one of ${logLevels.join(', ')}`,
    schema: z.enum(logLevels).default('info'),
  }),
  HOTLAP_LOG_FORMAT: variable({
    doc: 'How the log is written: json, pretty, or auto (pretty on a terminal).',
    should: 'auto, pretty or json',
    schema: z.enum(['auto', 'pretty', 'json']).default('auto'),
  }),
};

type VariableName = keyof typeof variables;
type Values = { [N in VariableName]: z.infer<(typeof variables)[N]['schema']> };

/** Each part of the program receives its slice. Paths are absolute. */
export interface Config {
  /** null: no token, so the playground stands in for Discord. */
  discord: {
    token: string;
    /** null: the client takes it from the token. */
    applicationId: string | null;
    guildId: string;
    roleIds: { admin: string; creator: string | null; judge: string | null; participant: string | null };
    channelId: string | null;
    adminChannelId: string | null;
    forumChannelId: string | null;
    apiUrl: string;
  } | null;
  /** How long a new podium stands before it is announced. */
  podiumSettleMs: number;
  /** `url` null: the embedded server. */
  database: { url: string | null };
  dataDir: string;
  problemsDir: string;
  playground: { port: number };
  api: {
    host: string;
    port: number;
    /** Addresses and networks whose X-Forwarded-For is believed. */
    trustedProxies: string[];
    corsOrigins: string[];
    /** null: only tokens in the database open the admin routes. */
    adminToken: string | null;
    /** Without a slash at its end. */
    publicUrl: string | null;
    /** null: nobody signs in with that provider. */
    apps: SignInApps;
  };
  boxes: {
    sshKeyPath: string;
    localBox: 'auto' | 'on' | 'off';
    /** null: what the probe finds. */
    localGpu: string | null;
    localSlots: number;
  };
  roles: Role[];
  log: { level: (typeof logLevels)[number]; format: 'auto' | 'pretty' | 'json' };
}

/** The environment cannot be used. `faults` holds one sentence per variable; the message holds them all. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `The configuration has ${faults.length} fault(s):\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
    this.faults = faults;
  }
}

/** An empty value means unset, because that is what `NAME=` in a copied `.env.example` says. */
function textOf(env: Environment, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === '' ? undefined : text;
}

function readValues(env: Environment): { values: Values; faults: string[] } {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, row] of Object.entries<Variable<unknown>>(variables)) {
    const text = textOf(env, name);
    const parsed = row.schema.safeParse(text);
    if (parsed.success) {
      values[name] = parsed.data;
    } else {
      const got = row.secret ? 'something else, not shown because it is secret' : JSON.stringify(text);
      faults.push(`${name}: should be ${row.should} (got ${got})`);
    }
  }
  return { values: values as Values, faults };
}

/**
 * Turns an environment into the configuration. Relative paths are taken from `baseDir`.
 *
 * @throws ConfigError that lists every fault at once
 */
export function parseConfig(env: Environment, baseDir: string = process.cwd()): Config {
  const { values, faults } = readValues(env);
  const { DISCORD_TOKEN: token, DISCORD_GUILD_ID: guildId, DISCORD_ADMIN_ROLE_ID: adminRoleId } = values;
  if (textOf(env, 'DISCORD_TOKEN') !== undefined) {
    for (const name of ['DISCORD_GUILD_ID', 'DISCORD_ADMIN_ROLE_ID'] as const) {
      if (values[name] === null) {
        faults.push(
          `${name}: should be ${variables[name].should}, because DISCORD_TOKEN is set (got nothing)`,
        );
      }
    }
  }
  for (const [name, because] of missingForSignIn(values)) {
    faults.push(`${name}: should be ${variables[name].should}, because ${because} is set (got nothing)`);
  }
  if (faults.length > 0) throw new ConfigError(faults);

  const dataDir = path.resolve(baseDir, values.HOTLAP_DATA_DIR);
  return {
    discord:
      token === null || guildId === null || adminRoleId === null
        ? null
        : {
            token,
            guildId,
            roleIds: {
              admin: adminRoleId,
              creator: values.DISCORD_CREATOR_ROLE_ID,
              judge: values.DISCORD_JUDGE_ROLE_ID,
              participant: values.DISCORD_PARTICIPANT_ROLE_ID,
            },
            applicationId: values.DISCORD_APPLICATION_ID,
            channelId: values.DISCORD_CHANNEL_ID,
            adminChannelId: values.DISCORD_ADMIN_CHANNEL_ID,
            forumChannelId: values.DISCORD_FORUM_CHANNEL_ID,
            apiUrl: values.DISCORD_API_URL,
          },
    podiumSettleMs: values.HOTLAP_PODIUM_SETTLE_S * 1000,
    database: { url: values.DATABASE_URL },
    dataDir,
    problemsDir: path.resolve(baseDir, values.HOTLAP_PROBLEMS_DIR),
    playground: { port: values.HOTLAP_PLAYGROUND_PORT },
    api: {
      host: values.HOTLAP_API_HOST,
      port: values.HOTLAP_API_PORT,
      adminToken: values.HOTLAP_ADMIN_TOKEN,
      publicUrl: values.HOTLAP_PUBLIC_URL,
      apps: signInApps(values),
      trustedProxies: values.HOTLAP_API_TRUSTED_PROXIES ?? [],
      corsOrigins: values.HOTLAP_API_CORS_ORIGINS ?? [],
    },
    boxes: {
      sshKeyPath: path.resolve(baseDir, values.HOTLAP_SSH_KEY ?? path.join(dataDir, 'ssh', 'id_ed25519')),
      localBox: values.HOTLAP_LOCAL_BOX,
      localGpu: values.HOTLAP_LOCAL_GPU,
      localSlots: values.HOTLAP_LOCAL_SLOTS,
    },
    roles: values.HOTLAP_ROLES,
    log: { level: values.HOTLAP_LOG_LEVEL, format: values.HOTLAP_LOG_FORMAT },
  };
}

/** The one place that reads `process.env`: merged with `.env` of `directory`, where the real environment wins. */
export function loadEnvironment(directory: string = process.cwd()): Environment {
  let text = '';
  try {
    text = readFileSync(path.join(directory, '.env'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return { ...parseEnv(text), ...process.env };
}

/** The text of `.env.example`: every variable with its comment and its default. */
export function renderEnvExample(): string {
  const rows = Object.entries<Variable<unknown>>(variables).map(([name, row]) => {
    const fallback = row.schema.parse(undefined);
    return `# ${row.doc}\n${name}=${fallback === null ? '' : String(fallback)}\n`;
  });
  return `# Copy to .env and fill in what you need. An empty value means unset.\n\n${rows.join('\n')}`;
}
