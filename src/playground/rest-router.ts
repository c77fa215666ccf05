import type { UploadedFile } from './files.ts';
import type { Json } from './form-check.ts';

export interface RestCall {
  method: string;
  path: string;
  params: Record<string, string>;
  query: URLSearchParams;
  json: unknown;
  /** `json` when it is an object, else an empty one. */
  body: Json;
  files: UploadedFile[];
}

/** What a route gives back is sent as JSON with 200; undefined is 204. */
export type RestHandler = (call: RestCall) => unknown;

/** `GET /channels/:channelId` to its handler. */
export type RestRoutes = Record<string, RestHandler>;

interface Route {
  method: string;
  segments: string[];
  handler: RestHandler;
}

/** Finds handlers by method and path; a segment that starts with `:` matches anything and becomes a parameter. */
export class RestRouter {
  readonly #routes: Route[] = [];

  add(routes: RestRoutes): void {
    for (const [key, handler] of Object.entries(routes)) {
      const [method = '', pattern = ''] = key.split(' ');
      this.#routes.push({ method, segments: pattern.split('/').slice(1), handler });
    }
  }

  find(method: string, path: string): { handler: RestHandler; params: Record<string, string> } | undefined {
    const given = path.split('/').slice(1);
    for (const { method: wanted, segments, handler } of this.#routes) {
      if (wanted !== method || segments.length !== given.length) continue;
      const matches = segments.every((segment, index) => segment.startsWith(':') || segment === given[index]);
      if (!matches) continue;
      const params: Record<string, string> = {};
      for (const [index, segment] of segments.entries()) {
        if (segment.startsWith(':')) params[segment.slice(1)] = decodeSegment(given[index] ?? '');
      }
      return { handler, params };
    }
    return undefined;
  }
}

// discord.js writes `@original` as `%40original`.
function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
