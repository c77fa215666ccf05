/** Checks of the bodies under /play: they come from whoever reaches the port, not only from our page and tests. */
import { z } from 'zod';
import { PlayRefusal } from './command-options.ts';
import type { PlayAction, PlayFault } from './play-protocol.ts';

const value = z.union([z.string(), z.number(), z.boolean()]);
const place = { channelId: z.string() };
const component = { ...place, messageId: z.string(), customId: z.string() };
const command = { ...place, path: z.array(z.string()).min(1), options: z.record(z.string(), value) };

const action: z.ZodType<PlayAction> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('command'), ...command }),
  z.object({ kind: z.literal('autocomplete'), ...command, focused: z.string() }),
  z.object({ kind: z.literal('press'), ...component }),
  z.object({ kind: z.literal('select'), ...component, values: z.array(z.string()) }),
  z.object({
    kind: z.literal('modal'),
    interactionId: z.string(),
    fields: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  }),
  z.object({ kind: z.literal('say'), ...place, content: z.string() }),
  z.object({ kind: z.literal('dismiss'), ...place, messageId: z.string() }),
]);

const fault: z.ZodType<PlayFault> = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('respond'),
    status: z.literal([429, 500, 502, 503]),
    times: z.int().min(1),
    method: z.string().exactOptional(),
    route: z.string().exactOptional(),
    retryAfterS: z.number().min(0).exactOptional(),
    afterApplying: z.boolean().exactOptional(),
  }),
  z.object({ kind: z.literal('drop-gateway'), resumable: z.boolean().exactOptional() }),
  z.object({ kind: z.literal('expire-tokens') }),
  z.object({ kind: z.literal('block-dms'), userId: z.string(), blocked: z.boolean() }),
]);

/** @throws PlayRefusal that names what is wrong */
export function parseAction(json: unknown): PlayAction {
  return parse(action, json, 'an action');
}

/** @throws PlayRefusal that names what is wrong */
export function parseFault(json: unknown): PlayFault {
  return parse(fault, json, 'a fault');
}

function parse<T>(schema: z.ZodType<T>, json: unknown, what: string): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  throw new PlayRefusal(`the body is not ${what}${where}: ${issue?.message ?? 'it cannot be read'}`);
}
