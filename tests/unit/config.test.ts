import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, loadEnvironment, parseConfig, renderEnvExample, variables } from '../../src/config.ts';

const ID = '123456789012345678';
const TOKEN = 'MTIzNDU2Nzg5.abc-def.g_h';

function faultsOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('parseConfig', () => {
  it('fills in every default when nothing is set', () => {
    expect(parseConfig({}, '/srv/hotlap')).toEqual({
      discord: null,
      podiumSettleMs: 60_000,
      database: { url: null },
      dataDir: '/srv/hotlap/.hotlap',
      problemsDir: '/srv/hotlap/problems',
      playground: { port: 8765 },
      api: {
        host: '127.0.0.1',
        port: 8766,
        trustedProxies: [],
        corsOrigins: [],
        adminToken: null,
        publicUrl: null,
        apps: { discord: null, github: null },
      },
      boxes: {
        sshKeyPath: '/srv/hotlap/.hotlap/ssh/id_ed25519',
        localBox: 'auto',
        localGpu: null,
        localSlots: 1,
      },
      roles: ['discord', 'scheduler', 'api'],
      log: { level: 'info', format: 'auto' },
    });
  });

  it('takes one role, or several with commas and blanks between, and no other word', () => {
    expect(parseConfig({ HOTLAP_ROLES: ' scheduler , discord ' }).roles).toEqual(['scheduler', 'discord']);
    expect(faultsOf({ HOTLAP_ROLES: 'discord,cook' })).toEqual([
      'HOTLAP_ROLES: should be one or more of discord, scheduler, api, with commas between (got "discord,cook")',
    ]);
    expect(faultsOf({ HOTLAP_ROLES: ',' })).toHaveLength(1);
  });

  it('treats an empty value and blanks as unset', () => {
    const empty = Object.fromEntries(Object.keys(variables).map((name) => [name, '  ']));
    expect(parseConfig(empty, '/srv')).toEqual(parseConfig({}, '/srv'));
  });

  it('reads every variable into its slice', () => {
    const env = {
      DISCORD_TOKEN: TOKEN,
      DISCORD_APPLICATION_ID: '1'.repeat(18),
      DISCORD_GUILD_ID: '2'.repeat(18),
      DISCORD_CHANNEL_ID: '3'.repeat(18),
      DISCORD_ADMIN_ROLE_ID: '4'.repeat(18),
      DISCORD_CREATOR_ROLE_ID: '5'.repeat(18),
      DISCORD_JUDGE_ROLE_ID: '6'.repeat(18),
      DISCORD_PARTICIPANT_ROLE_ID: '7'.repeat(18),
      DISCORD_ADMIN_CHANNEL_ID: '5'.repeat(18),
      DISCORD_FORUM_CHANNEL_ID: '8'.repeat(18),
      DISCORD_API_URL: 'http://127.0.0.1:8765/api/',
      DATABASE_URL: 'postgresql://u:p@db/hotlap',
      HOTLAP_DATA_DIR: 'data',
      HOTLAP_PROBLEMS_DIR: '/problems',
      HOTLAP_PLAYGROUND_PORT: '0',
      HOTLAP_PODIUM_SETTLE_S: '5',
      HOTLAP_API_PORT: '80',
      HOTLAP_API_HOST: '0.0.0.0',
      HOTLAP_PUBLIC_URL: 'https://hotlap.example/',
      HOTLAP_ADMIN_TOKEN: 'a'.repeat(24),
      DISCORD_CLIENT_SECRET: 'discord-secret',
      DISCORD_AUTHORIZE_URL: 'http://127.0.0.1:8765/authorize',
      GITHUB_CLIENT_ID: 'Iv1.abc',
      GITHUB_CLIENT_SECRET: 'github-secret',
      GITHUB_URL: 'https://git.example/',
      GITHUB_API_URL: 'https://git.example/api/v3/',
      HOTLAP_API_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8',
      HOTLAP_API_CORS_ORIGINS: 'https://example.org',
      HOTLAP_SSH_KEY: 'keys/box',
      HOTLAP_LOCAL_BOX: 'off',
      HOTLAP_LOCAL_GPU: 'H100',
      HOTLAP_LOCAL_SLOTS: '8',
      HOTLAP_ROLES: 'scheduler',
      HOTLAP_LOG_LEVEL: 'debug',
      HOTLAP_LOG_FORMAT: 'json',
    };
    expect(Object.keys(env).sort()).toEqual(Object.keys(variables).sort());
    expect(parseConfig(env, '/srv')).toEqual({
      discord: {
        token: TOKEN,
        applicationId: env.DISCORD_APPLICATION_ID,
        guildId: env.DISCORD_GUILD_ID,
        channelId: env.DISCORD_CHANNEL_ID,
        roleIds: {
          admin: env.DISCORD_ADMIN_ROLE_ID,
          creator: env.DISCORD_CREATOR_ROLE_ID,
          judge: env.DISCORD_JUDGE_ROLE_ID,
          participant: env.DISCORD_PARTICIPANT_ROLE_ID,
        },
        adminChannelId: env.DISCORD_ADMIN_CHANNEL_ID,
        forumChannelId: env.DISCORD_FORUM_CHANNEL_ID,
        apiUrl: 'http://127.0.0.1:8765/api',
      },
      podiumSettleMs: 5000,
      database: { url: 'postgresql://u:p@db/hotlap' },
      dataDir: '/srv/data',
      problemsDir: '/problems',
      playground: { port: 0 },
      api: {
        host: '0.0.0.0',
        port: 80,
        adminToken: 'a'.repeat(24),
        publicUrl: 'https://hotlap.example',
        apps: {
          discord: {
            clientId: env.DISCORD_APPLICATION_ID,
            clientSecret: 'discord-secret',
            authorizeUrl: 'http://127.0.0.1:8765/authorize',
            tokenUrl: 'http://127.0.0.1:8765/api/oauth2/token',
            userUrl: 'http://127.0.0.1:8765/api/v10/users/@me',
          },
          github: {
            clientId: 'Iv1.abc',
            clientSecret: 'github-secret',
            authorizeUrl: 'https://git.example/login/oauth/authorize',
            tokenUrl: 'https://git.example/login/oauth/access_token',
            userUrl: 'https://git.example/api/v3/user',
          },
        },
        trustedProxies: ['127.0.0.1', '10.0.0.0/8'],
        corsOrigins: ['https://example.org'],
      },
      boxes: { sshKeyPath: '/srv/keys/box', localBox: 'off', localGpu: 'H100', localSlots: 8 },
      roles: ['scheduler'],
      log: { level: 'debug', format: 'json' },
    });
  });

  it('reports every fault at once, each with the name and what it should be', () => {
    const faults = faultsOf({
      DISCORD_TOKEN: TOKEN,
      DISCORD_CHANNEL_ID: '#general',
      HOTLAP_LOCAL_SLOTS: '0',
      HOTLAP_LOG_LEVEL: 'loud',
    });
    expect(faults).toHaveLength(5);
    expect(faults).toContain('HOTLAP_LOCAL_SLOTS: should be a whole number from 1 to 64 (got "0")');
    expect(faults.join('\n')).toMatch(/^DISCORD_CHANNEL_ID: should be a Discord id .* \(got "#general"\)$/m);
    expect(faults.join('\n')).toMatch(/^DISCORD_GUILD_ID: .* because DISCORD_TOKEN is set \(got nothing\)$/m);
    expect(faults.join('\n')).toMatch(/^DISCORD_ADMIN_ROLE_ID: .* because DISCORD_TOKEN is set/m);
  });

  it('names a malformed required id once, and asks for it even when the token itself is wrong', () => {
    const faults = faultsOf({ DISCORD_TOKEN: 'Bot x', DISCORD_GUILD_ID: 'mine', DISCORD_ADMIN_ROLE_ID: ID });
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['DISCORD_TOKEN', 'DISCORD_GUILD_ID']);
  });

  it('asks for the rest of an application that was named in part', () => {
    const names = (env: Record<string, string>) => faultsOf(env).map((fault) => fault.split(':')[0]);
    expect(names({ DISCORD_CLIENT_SECRET: 'x' })).toEqual(['DISCORD_APPLICATION_ID', 'HOTLAP_PUBLIC_URL']);
    expect(names({ GITHUB_CLIENT_ID: 'x' })).toEqual(['GITHUB_CLIENT_SECRET', 'HOTLAP_PUBLIC_URL']);
    expect(names({ GITHUB_CLIENT_SECRET: 'x', HOTLAP_PUBLIC_URL: 'https://x' })).toEqual([
      'GITHUB_CLIENT_ID',
    ]);
  });

  it('never repeats the value of a secret', () => {
    const message = faultsOf({
      DISCORD_TOKEN: 'Bot hunter2',
      DATABASE_URL: 'mysql://root:hunter2@db',
      HOTLAP_ADMIN_TOKEN: 'hunter2',
      GITHUB_CLIENT_SECRET: 'hunter2 hunter2',
    }).join('\n');
    expect(message).toContain('DISCORD_TOKEN: should be');
    expect(message).toContain('DATABASE_URL: should be');
    expect(message).not.toContain('hunter2');
  });

  it.each([
    ['HOTLAP_PLAYGROUND_PORT', '65536'],
    ['HOTLAP_PLAYGROUND_PORT', '80.5'],
    ['HOTLAP_API_PORT', '-1'],
    ['HOTLAP_API_HOST', 'http://x'],
    ['HOTLAP_PUBLIC_URL', 'hotlap.example'],
    ['HOTLAP_PUBLIC_URL', 'https://hotlap.example/?next=x'],
    ['HOTLAP_ADMIN_TOKEN', 'short'],
    ['GITHUB_URL', 'github.com'],
    ['HOTLAP_API_TRUSTED_PROXIES', 'nginx.local'],
    ['HOTLAP_API_CORS_ORIGINS', '*'],
    ['HOTLAP_LOCAL_SLOTS', '-1'],
    ['HOTLAP_LOCAL_BOX', 'yes'],
    ['HOTLAP_LOCAL_GPU', 'H 100'],
    ['DISCORD_API_URL', 'discord.com/api'],
    ['DATABASE_URL', 'localhost:5432'],
  ])('refuses %s=%s', (name, value) => {
    expect(faultsOf({ [name]: value })).toEqual([expect.stringContaining(`${name}: should be`)]);
  });
});

describe('loadEnvironment', () => {
  let directory = '';
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true, force: true });
  });

  it('merges .env under the real environment, which wins', async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'hotlap-config-'));
    await writeFile(
      path.join(directory, '.env'),
      'HOTLAP_LOCAL_GPU="A100"\nHOTLAP_LOG_LEVEL=trace # comment\n',
    );
    vi.stubEnv('HOTLAP_LOG_LEVEL', 'warn');
    expect(loadEnvironment(directory)).toMatchObject({ HOTLAP_LOCAL_GPU: 'A100', HOTLAP_LOG_LEVEL: 'warn' });
  });

  it('needs no .env', async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'hotlap-config-'));
    vi.stubEnv('HOTLAP_LOCAL_GPU', 'L4');
    expect(loadEnvironment(directory).HOTLAP_LOCAL_GPU).toBe('L4');
  });
});

describe('.env.example', () => {
  it('changes nothing when it is copied to .env as it is', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'hotlap-config-'));
    await writeFile(path.join(directory, '.env'), renderEnvExample());
    for (const name of Object.keys(variables)) vi.stubEnv(name, undefined);
    const copied = loadEnvironment(directory);
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true });
    const ours = Object.fromEntries(Object.keys(variables).map((name) => [name, copied[name]]));
    expect(parseConfig(ours, '/srv')).toEqual(parseConfig({}, '/srv'));
  });
});
