/**
 * The HTTP API: one Fastify server whose routes are files of `routes/`, each with zod schemas for what comes in and what
 * goes out. What goes out is cut to its schema, so that a new column of a table appears nowhere by itself.
 *
 * A request gets an id, then its caller (auth.ts), then its limits, and only then is its body read.
 */
import { randomUUID } from 'node:crypto';
import fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Sql } from '../db/client.ts';
import type { Log } from '../log.ts';
import { type Accounts, guards } from './auth.ts';
import { handleError } from './errors.ts';
import type { SignIn } from './oauth.ts';
import type { RouteParts, Server } from './route.ts';
import { authRoutes } from './routes/auth.ts';
import { healthRoutes } from './routes/health.ts';

export interface ApiParts {
  sql: Sql;
  log: Log;
  accounts: Accounts;
  signIn: SignIn;
  host: string;
  /** 0: any free one. */
  port: number;
}

export interface Api {
  /** `http://host:port`, without a slash at the end. */
  url: string;
  /** Takes no more connections, lets requests under way end, and returns. */
  close(): Promise<void>;
}

/** A client keeps idle connections for up to 90 s and does not try again when we close one under its request. */
const KEEP_ALIVE_MS = 120_000;
const HEADERS_TIMEOUT_MS = 30_000;
const BODY_TIMEOUT_MS = 120_000;
const HANDLER_TIMEOUT_MS = 30_000;
const BODY_LIMIT = 256 * 1024;
const MAX_PARAM_LENGTH = 200;

/** Listens when it returns. Throws when the address cannot be used. */
export async function startApi(parts: ApiParts): Promise<Api> {
  const server = await buildServer(parts);
  const url = await server.listen({ host: parts.host, port: parts.port });
  return { url, close: () => server.close() };
}

async function buildServer(parts: ApiParts): Promise<Server> {
  const server = fastify({
    loggerInstance: parts.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: (request) => requestIdOf(request.headers['x-request-id']),
    bodyLimit: BODY_LIMIT,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: BODY_TIMEOUT_MS,
    handlerTimeout: HANDLER_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    forceCloseConnections: 'idle',
    // A client that polls takes an error for the end of its submission; until we are gone, we answer.
    return503OnClosing: false,
    routerOptions: {
      ignoreTrailingSlash: true,
      // A base address with a slash at its end makes paths with two.
      ignoreDuplicateSlashes: true,
      maxParamLength: MAX_PARAM_LENGTH,
    },
    frameworkErrors: (error, request, reply) => void handleError(error, request, reply),
  }).withTypeProvider<ZodTypeProvider>();

  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.decorateRequest('caller', null);
  server.decorateRequest('admin', null);
  server.setErrorHandler(handleError);
  refuseUnknownRoutes(server);
  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });

  const routeParts: RouteParts = { sql: parts.sql, log: parts.log, guards: guards(parts.accounts) };
  healthRoutes(server, routeParts);
  authRoutes(server, { ...routeParts, signIn: parts.signIn });
  return server;
}

/** One that a proxy gave is kept where it is harmless in a log. */
function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.-]{8,64}$/.test(header) ? header : randomUUID();
}

/** 404, or 405 where the path exists for other methods. */
function refuseUnknownRoutes(server: Server): void {
  const routes: { pattern: RegExp; methods: string[] }[] = [];
  server.addHook('onRoute', ({ url, method }) => {
    const source = url
      .split('/')
      .map((part) => (part.startsWith(':') ? '[^/]+' : part === '*' ? '.*' : part.replaceAll('.', '\\.')))
      .join('/');
    routes.push({ pattern: new RegExp(`^${source}/*$`), methods: [method].flat() });
  });
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]?.replace(/\/{2,}/g, '/') ?? '';
    const methods = routes.filter((route) => route.pattern.test(path)).flatMap((route) => route.methods);
    if (methods.length === 0) return reply.code(404).send({ detail: 'Not Found', code: 'not-found' });
    return reply
      .code(405)
      .header('allow', [...new Set(methods)].join(', '))
      .send({ detail: 'Method Not Allowed', code: 'method-not-allowed' });
  });
}
