/**
 * The HTTP API: one Fastify server whose routes are files of `routes/`, each with zod schemas for what comes in and what
 * goes out. What goes out is cut to its schema, so that a new column of a table appears nowhere by itself.
 *
 * A request gets an id, then its caller (auth.ts), then its limits, and only then is its body read.
 */
import { randomUUID } from 'node:crypto';
import cors from '@fastify/cors';
import fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Sql } from '../db/client.ts';
import type { RunDesk } from '../domain/verify.ts';
import type { Log } from '../log.ts';
import { type Accounts, guards } from './auth.ts';
import { watchRoutes } from './changes.ts';
import { describeApi } from './document.ts';
import { handleError, refuseConnection } from './errors.ts';
import { defaultRates, type LimitRates, limitsFor } from './limits.ts';
import { Metrics } from './metrics.ts';
import type { SignIn } from './oauth.ts';
import { Progress } from './progress.ts';
import { QueueView } from './queue-view.ts';
import { readGate } from './read-gate.ts';
import type { ProblemDesk, RouteParts, Server } from './route.ts';
import { adminAuditRoutes } from './routes/admin-audit.ts';
import { adminBanRoutes } from './routes/admin-bans.ts';
import { adminExportRoutes } from './routes/admin-export.ts';
import { adminInviteRoutes } from './routes/admin-invites.ts';
import { adminLeaderboardRoutes } from './routes/admin-leaderboards.ts';
import { adminLimitRoutes } from './routes/admin-limits.ts';
import { adminOperationRoutes } from './routes/admin-operation.ts';
import { adminRejudgeRoutes } from './routes/admin-rejudges.ts';
import { adminRunRoutes } from './routes/admin-runs.ts';
import { adminSubmissionRoutes } from './routes/admin-submissions.ts';
import { adminTokenRoutes } from './routes/admin-tokens.ts';
import { authRoutes } from './routes/auth.ts';
import { boardRoutes } from './routes/boards.ts';
import { healthRoutes } from './routes/health.ts';
import { joinRoutes } from './routes/join.ts';
import { ownSubmissionRoutes } from './routes/own-submissions.ts';
import { ownTraceRoutes } from './routes/own-traces.ts';
import { reportBoardRoutes } from './routes/reports-board.ts';
import { reportGlobalRoutes } from './routes/reports-global.ts';
import { reportHistoryRoutes } from './routes/reports-history.ts';
import { reportModelRoutes } from './routes/reports-models.ts';
import { reportParamRoutes } from './routes/reports-params.ts';
import { reportPredictionRoutes } from './routes/reports-predictions.ts';
import { reportStatsRoutes } from './routes/reports-stats.ts';
import { runRoutes } from './routes/runs.ts';
import { submitRoutes } from './routes/submit.ts';
import { takeMultipart } from './upload.ts';

export interface ApiParts {
  sql: Sql;
  log: Log;
  accounts: Accounts;
  signIn: SignIn;
  host: string;
  /** 0: any free one. */
  port: number;
  problems: ProblemDesk;
  runs: RunDesk;
  /** For the files of exports; made when first needed. */
  exportsDir: string;
  /** Addresses and networks of proxies whose X-Forwarded-For is believed. */
  trustedProxies?: string[];
  /** Origins of web pages that may call; none by default. */
  corsOrigins?: string[];
  /** Where other parts of this process count too. */
  metrics?: Metrics;
  /** Other limits than the usual ones. */
  rates?: Partial<LimitRates>;
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
/** Where they are slow. Together they leave connections of the pool to whatever else is asked. */
const READS_AT_ONCE = 3;
const BOARD_READS_AT_ONCE = 4;
const REPORTS_AT_ONCE = 2;
const CLOSE_PATIENCE_MS = 10_000;
const BODY_LIMIT = 256 * 1024;
const MAX_PARAM_LENGTH = 200;

/** Listens when it returns. Throws when the address cannot be used. */
export async function startApi(parts: ApiParts): Promise<Api> {
  const server = await buildServer(parts);
  const url = await server.listen({ host: parts.host, port: parts.port });
  return { url, close: () => closeServer(server) };
}

/** Requests under way are answered, for a while. */
async function closeServer(server: Server): Promise<void> {
  const impatience = setTimeout(() => server.server.closeAllConnections(), CLOSE_PATIENCE_MS);
  await server.close();
  clearTimeout(impatience);
}

async function buildServer(parts: ApiParts): Promise<Server> {
  const server = fastify({
    loggerInstance: parts.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: (request) => requestIdOf(request.headers['x-request-id']),
    trustProxy: parts.trustedProxies?.length ? parts.trustedProxies : false,
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
    clientErrorHandler: refuseConnection,
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

  takeMultipart(server);
  const metrics = parts.metrics ?? new Metrics(parts.sql, parts.log);
  await metrics.start();
  measure(server, metrics);
  if (parts.corsOrigins?.length) await server.register(cors, { origin: parts.corsOrigins });
  await describeApi(server);

  const limits = await limitsFor(server, { ...defaultRates, ...parts.rates });
  const progress = new Progress();
  await progress.start(parts.sql);
  const closing = new AbortController();
  // Before connections are waited for: streams end with a word when they see it.
  server.addHook('preClose', async () => closing.abort());
  server.addHook('onSend', async (_request, reply) => {
    if (closing.signal.aborted) reply.header('connection', 'close');
  });
  server.addHook('onClose', () => progress.stop());
  const reads = readGate(READS_AT_ONCE);
  const accounts: Accounts = {
    ...parts.accounts,
    findByCliId: (token) => reads(() => parts.accounts.findByCliId(token)),
    findByWebId: (token) => reads(() => parts.accounts.findByWebId(token)),
  };
  const own = { sql: parts.sql, log: parts.log, guards: guards(accounts, limits.wrongToken) };
  watchRoutes(server, own);
  const routeParts: RouteParts = {
    ...own,
    limits,
    queue: new QueueView(parts.sql),
    reads,
    boardReads: readGate(BOARD_READS_AT_ONCE),
    reportReads: readGate(REPORTS_AT_ONCE),
    progress,
    metrics,
    exportsDir: parts.exportsDir,
    problems: parts.problems,
    runs: parts.runs,
    closing: closing.signal,
  };
  for (const routes of [
    healthRoutes,
    boardRoutes,
    reportBoardRoutes,
    reportModelRoutes,
    reportGlobalRoutes,
    reportParamRoutes,
    reportStatsRoutes,
    reportHistoryRoutes,
    reportPredictionRoutes,
    ownSubmissionRoutes,
    ownTraceRoutes,
    submitRoutes,
    joinRoutes,
    adminOperationRoutes,
    adminSubmissionRoutes,
    adminInviteRoutes,
    adminLimitRoutes,
    adminBanRoutes,
    adminExportRoutes,
    adminLeaderboardRoutes,
    adminRejudgeRoutes,
    adminTokenRoutes,
    adminAuditRoutes,
    runRoutes,
    adminRunRoutes,
  ]) {
    routes(server, routeParts);
  }
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
    // Answers of the browser's questions before a call are no routes of ours.
    if (url === '*') return;
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

/** Every answer is counted; changes and refusals are told in the log, without headers, queries or bodies. */
function measure(server: Server, metrics: Metrics): void {
  server.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    const status = reply.statusCode;
    metrics.observeHttp(request.method, route, status, reply.elapsedTime / 1000);
    const line = { method: request.method, route, status, ms: Math.round(reply.elapsedTime) };
    const user = request.caller?.userId ?? (request.admin ? `admin ${request.admin.name}` : undefined);
    const quiet = status < 400 && request.method === 'GET';
    request.log[quiet ? 'debug' : 'info']({ ...line, ...(user !== undefined && { user }) }, 'request');
  });
}
