/** The part of the configuration that is about signing in with Discord or GitHub. */

/** The application at a provider, and where the provider is. */
interface OAuthApp {
  clientId: string;
  clientSecret: string;
  authorizeUrl: string;
  tokenUrl: string;
  userUrl: string;
}

/** null: nobody signs in with that provider. */
export interface SignInApps {
  discord: OAuthApp | null;
  github: OAuthApp | null;
}

interface SignInValues {
  DISCORD_APPLICATION_ID: string | null;
  DISCORD_CLIENT_SECRET: string | null;
  DISCORD_AUTHORIZE_URL: string;
  DISCORD_API_URL: string;
  GITHUB_CLIENT_ID: string | null;
  GITHUB_CLIENT_SECRET: string | null;
  GITHUB_URL: string;
  GITHUB_API_URL: string;
  HOTLAP_PUBLIC_URL: string | null;
}

/**
 * Variables that have no value though another one asks for it, each with the one that asks: half an application would
 * only be noticed by the first person who signs in.
 */
export function missingForSignIn(values: SignInValues): [keyof SignInValues, keyof SignInValues][] {
  const needs: [keyof SignInValues, keyof SignInValues][] = [
    ['DISCORD_APPLICATION_ID', 'DISCORD_CLIENT_SECRET'],
    ['GITHUB_CLIENT_ID', 'GITHUB_CLIENT_SECRET'],
    ['GITHUB_CLIENT_SECRET', 'GITHUB_CLIENT_ID'],
    ['HOTLAP_PUBLIC_URL', values.DISCORD_CLIENT_SECRET ? 'DISCORD_CLIENT_SECRET' : 'GITHUB_CLIENT_ID'],
  ];
  return needs.filter(([name, because]) => values[name] === null && values[because] !== null);
}

export function signInApps(values: SignInValues): SignInApps {
  const app = (
    clientId: string | null,
    clientSecret: string | null,
    urls: Pick<OAuthApp, 'authorizeUrl' | 'tokenUrl' | 'userUrl'>,
  ) => (clientId === null || clientSecret === null ? null : { clientId, clientSecret, ...urls });
  return {
    discord: app(values.DISCORD_APPLICATION_ID, values.DISCORD_CLIENT_SECRET, {
      authorizeUrl: values.DISCORD_AUTHORIZE_URL,
      tokenUrl: `${values.DISCORD_API_URL}/oauth2/token`,
      userUrl: `${values.DISCORD_API_URL}/v10/users/@me`,
    }),
    github: app(values.GITHUB_CLIENT_ID, values.GITHUB_CLIENT_SECRET, {
      authorizeUrl: `${values.GITHUB_URL}/login/oauth/authorize`,
      tokenUrl: `${values.GITHUB_URL}/login/oauth/access_token`,
      userUrl: `${values.GITHUB_API_URL}/user`,
    }),
  };
}
