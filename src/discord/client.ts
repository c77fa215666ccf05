/** The discord.js client, pointed at Discord or at a stand-in that speaks its protocol. */
import { Client, GatewayIntentBits } from 'discord.js';
import type { Log } from '../log.ts';
import { type MakeRequest, sendWholeBody } from './whole-body.ts';

const READY_TIMEOUT_MS = 30_000;

/** Connects and resolves once the gateway is ready; `disconnect` ends it without a word. No privileged intent: commands bring their members along. */
export async function connectDiscord(options: {
  apiUrl: string;
  token: string;
  log: Log;
  /** Told of each request to the REST API that was answered, for metrics. */
  onRequest?: Observe | undefined;
}): Promise<{ client: Client<true>; disconnect(): Promise<void> }> {
  const client = new Client({
    intents: [GatewayIntentBits.Guilds],
    rest: { api: options.apiUrl, makeRequest: timed(sendWholeBody, options.onRequest) },
    // Nobody is pinged by a name in an embed.
    allowedMentions: { parse: [] },
  });
  client.on('error', (error) => options.log.error({ error }, 'Discord client error'));
  client.on('warn', (message) => options.log.warn({ message }, 'Discord client warning'));
  let ending = false;
  client.on('shardReconnecting', () => {
    if (!ending) options.log.warn('Discord gateway lost: reconnecting');
  });
  const ready = new Promise<Client<true>>((resolve, reject) => {
    client.once('clientReady', resolve);
    setTimeout(() => reject(new Error('Discord did not say READY in time')), READY_TIMEOUT_MS).unref();
  });
  ready.catch(() => {});
  const disconnect = async () => {
    ending = true;
    await client.destroy();
  };
  try {
    await client.login(options.token);
    return { client: await ready, disconnect };
  } catch (error) {
    await disconnect();
    throw error;
  }
}

type Observe = (method: string, path: string, status: number, seconds: number) => void;

function timed(makeRequest: MakeRequest, observe: Observe | undefined): MakeRequest {
  if (!observe) return makeRequest;
  return async (url, init) => {
    const since = performance.now();
    const response = await makeRequest(url, init);
    observe(init.method ?? 'GET', new URL(url).pathname, response.status, (performance.now() - since) / 1000);
    return response;
  };
}
