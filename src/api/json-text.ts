/** Answers that the database has written as JSON already: sent as they are. Tests hold them against their schemas. */
import type { FastifyReply } from 'fastify';

/** The type is that of the route's schema, which the text fits. */
export function sendJsonText(reply: FastifyReply, text: string): never {
  return reply.type('application/json; charset=utf-8').serializer(String).send(text) as never;
}
