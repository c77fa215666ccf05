import type { IncomingMessage, ServerResponse } from 'node:http';
import { DiscordError, refusals } from './discord-error.ts';
import type { Faults } from './faults.ts';
import { isJson } from './form-check.ts';
import { readBody } from './request-body.ts';
import type { RestRouter } from './rest-router.ts';
import { sendJson } from './send.ts';

// These routes carry a token in their path and are called without the bot's.
const withoutBotToken = /^\/(interactions|webhooks)\//;

/** Serves `/api/v10/...`: the bot's token, injected faults, the route, and refusals in Discord's words. */
export class RestApi {
  readonly #router: RestRouter;
  readonly #faults: Faults;
  readonly #token: string;
  readonly #log: (message: string) => void;

  constructor(router: RestRouter, faults: Faults, token: string, log: (message: string) => void) {
    this.#router = router;
    this.#faults = faults;
    this.#token = token;
    this.#log = log;
  }

  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const method = request.method ?? 'GET';
    const path = url.pathname.replace(/^\/api(\/v10)?/, '');
    const fault = this.#faults.take(method, path);
    const answer =
      fault === undefined || fault.afterApplying ? await this.#answer(request, url, path) : undefined;
    if (answer === undefined) request.resume();
    if (fault !== undefined) return sendJson(response, fault.status, fault.body, fault.headers);
    if (answer !== undefined) sendJson(response, answer.status, answer.body);
  }

  async #answer(
    request: IncomingMessage,
    url: URL,
    path: string,
  ): Promise<{ status: number; body: unknown }> {
    const method = request.method ?? 'GET';
    try {
      const authorized = request.headers.authorization === `Bot ${this.#token}`;
      if (!authorized && !withoutBotToken.test(path)) {
        request.resume();
        throw refusals.unauthorized();
      }
      const { json, files } = await readBody(request);
      const route = this.#router.find(method, path);
      if (route === undefined) {
        this.#log(`the playground has no route for ${method} ${path}`);
        throw refusals.notFound();
      }
      // No body is as good as an empty one, and whether a list will do is up to the route.
      if (json === null || (json !== undefined && typeof json !== 'object')) throw refusals.notAnObject();
      const body = isJson(json) ? json : {};
      const call = { method, path, params: route.params, query: url.searchParams, json, body, files };
      const result = await route.handler(call);
      return result === undefined ? { status: 204, body: undefined } : { status: 200, body: result };
    } catch (error) {
      if (!(error instanceof DiscordError)) throw error;
      this.#log(`${method} ${path} refused: ${error.status} ${JSON.stringify(error.toBody())}`);
      return { status: error.status, body: error.toBody() };
    }
  }
}
