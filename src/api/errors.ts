/**
 * From whatever goes wrong to an answer. Clients read one key of an error: `detail`, always one string. Beside it stands
 * a `code` for programs. A bug answers with a reference that the log knows, and with nothing else.
 */
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { isConnectionError } from '../db/client.ts';
import { UserError } from '../domain/errors.ts';

/** A refusal that only HTTP knows: a missing header, a parameter of the wrong type. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  /** Sent as `Retry-After`. */
  readonly retryAfterS: number | null;

  /** `detail` is shown as it is. */
  constructor(status: number, code: string, detail: string, retryAfterS: number | null = null) {
    super(detail);
    this.name = 'Refusal';
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

export interface ErrorAnswer {
  status: number;
  body: { detail: string; code: string; request_id?: string };
  retryAfterS: number | null;
}

const RETRY_S = 5;
const NOT_ACCEPTING_RETRY_S = 300;

/** What Fastify itself refuses, in our words. */
const fastifyErrors: Record<string, { status: number; code: string; detail: string }> = {
  FST_ERR_BAD_URL: { status: 400, code: 'bad-url', detail: 'The path of the URL is not valid.' },
  FST_ERR_MAX_PARAM_LENGTH: { status: 404, code: 'not-found', detail: 'Not Found' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    status: 415,
    code: 'media-type',
    detail: 'This Content-Type is not taken here; files come as multipart/form-data, all else as JSON.',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    status: 400,
    code: 'content-length',
    detail: 'The body is not as long as Content-Length says.',
  },
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, code: 'body-too-large', detail: 'The body is too large.' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { status: 422, code: 'invalid', detail: 'The body is empty; send JSON.' },
  FST_ERR_CTP_INVALID_JSON_BODY: { status: 422, code: 'invalid', detail: 'The body is not valid JSON.' },
  FST_ERR_HANDLER_TIMEOUT: { status: 503, code: 'too-slow', detail: 'This took too long. Try again.' },
};

/** Of one value. Our own sentences stay as they are. */
function inWords(fault: { message?: string | undefined; params?: Record<string, unknown> }): string {
  const { message = 'cannot be used', params = {} } = fault;
  if (/^Invalid input: .* received (undefined|null)$/.test(message)) return 'is missing';
  if (/^Invalid input: expected \w+, received/.test(message)) return `must be of type ${params.expected}`;
  if (message.startsWith('Too small: expected string')) return 'must not be empty';
  if (message.startsWith('Too small: expected number')) return `must be at least ${params.minimum}`;
  if (message.startsWith('Too big: expected number')) return `must be at most ${params.maximum}`;
  if (message.startsWith('Too big: expected string')) return `must have at most ${params.maximum} characters`;
  return message;
}

/** What is no HTTP, or more of it than is read. It never becomes a request. */
const connectionErrors: Record<string, { status: string; code: string; detail: string }> = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    code: 'headers-too-large',
    detail: 'The headers of the request are too large. Is the token in them the right one?',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    code: 'too-slow',
    detail: 'The request did not arrive in time. Send it again.',
  },
};
const notHttp = { status: '400 Bad Request', code: 'bad-request', detail: 'The request is not valid HTTP.' };

/** Answers a connection on which no request can be read, and ends it. */
export function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const { status, code, detail } = connectionErrors[error.code ?? ''] ?? notHttp;
  const body = JSON.stringify({ detail, code });
  const type = 'content-type: application/json; charset=utf-8';
  socket.end(
    `HTTP/1.1 ${status}\r\n${type}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/** Also says whether the error is a bug of ours, which belongs into the log. */
export function answerTo(error: unknown, requestId: string): ErrorAnswer & { isBug: boolean } {
  const answer = (status: number, code: string, detail: string, retryAfterS: number | null = null) => ({
    status,
    body: { detail, code },
    retryAfterS,
    isBug: false,
  });
  if (error instanceof UserError) {
    const { seconds } = error.details;
    const wait = typeof seconds === 'number' ? seconds : error.status === 503 ? NOT_ACCEPTING_RETRY_S : null;
    return answer(error.status, error.code, `${error.text} ${error.nextHttp}`, wait);
  }
  if (error instanceof Refusal) return answer(error.status, error.code, error.message, error.retryAfterS);
  if (hasZodFastifySchemaValidationErrors(error)) {
    const faults = error.validation.map((issue) => {
      const where = issue.instancePath.replace(/^\//, '').replaceAll('/', '.');
      return `${where || (error.validationContext ?? 'request')}: ${inWords(issue)}`;
    });
    return answer(422, 'invalid', faults.join('; '));
  }
  const { code, statusCode } = error as Partial<FastifyError>;
  const known = fastifyErrors[String(code)];
  if (known) return answer(known.status, known.code, known.detail);
  if (isConnectionError(error)) {
    return answer(503, 'database-away', 'The database is away for a moment. Try again.', RETRY_S);
  }
  // A row that the request refers to went away under it.
  if (code === '23503') {
    return answer(409, 'gone', 'Something that the request refers to was deleted meanwhile. Try again.');
  }
  if (code === '57014') {
    return answer(503, 'too-slow', 'This took too long. Ask for less at once, or try again.', RETRY_S);
  }
  // Class 22, data exception: a value that PostgreSQL cannot take, such as a NUL character in a name.
  if (/^22\d/.test(String(code))) return answer(422, 'invalid', 'A value of the request cannot be used.');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return answer(statusCode, 'bad-request', 'The request cannot be understood.');
  }
  return {
    status: 500,
    body: {
      detail: `Something went wrong on our side. Tell an organiser this reference: ${requestId}.`,
      code: 'internal',
      request_id: requestId,
    },
    retryAfterS: null,
    isBug: true,
  };
}

export function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const answer = answerTo(error, request.id);
  if (answer.isBug) request.log.error({ error, route: request.routeOptions.url }, 'a request failed');
  if (answer.retryAfterS !== null) reply.header('retry-after', String(Math.ceil(answer.retryAfterS)));
  // Without the route's serializer: the answer of an error has one shape everywhere.
  return reply
    .code(answer.status)
    .type('application/json; charset=utf-8')
    .serializer((body: unknown) => JSON.stringify(body))
    .send(answer.body);
}
