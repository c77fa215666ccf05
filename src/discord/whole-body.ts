import { DefaultRestOptions, type RESTOptions } from 'discord.js';

export type MakeRequest = RESTOptions['makeRequest'];

/**
 * A request to Discord whose form (a message with files) is sent as one piece instead of a stream.
 *
 * Discord may answer 429 or 5xx before it has read a form to its end. The HTTP library then closes the stream while its
 * own writer still fills it, and the writer's error is nobody's to catch: it ends the process.
 */
export const sendWholeBody: MakeRequest = async (url, init) => {
  if (!(init.body instanceof FormData)) return DefaultRestOptions.makeRequest(url, init);
  const form = new Response(init.body);
  const headers = { ...(init.headers as Record<string, string>) };
  headers['Content-Type'] = form.headers.get('content-type') ?? '';
  return DefaultRestOptions.makeRequest(url, { ...init, headers, body: await form.bytes() });
};
