/**
 * Vitest global set-up of the projects that use PostgreSQL: one server, one migrated template database.
 * Several projects name this file; the first starts the server and the last to end stops it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { TestProject } from 'vitest/node';

interface TestServer {
  users: number;
  ready: Promise<{ child: ChildProcess; templateUrl: string }>;
}

// Vitest loads this file once per project, so that a variable of the module would not be shared.
const shared = globalThis as { hotlapTestServer?: TestServer | undefined };

async function startServer() {
  // In a session of its own: a Ctrl-C ends the tests, and the end of the tests ends the server.
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'database-server.ts')], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('ready ')) return { child, templateUrl: line.slice('ready '.length) };
  }
  throw new Error('The PostgreSQL server of the tests did not start; its reason is above.');
}

export async function setup(project: TestProject): Promise<void> {
  shared.hotlapTestServer ??= { users: 0, ready: startServer() };
  shared.hotlapTestServer.users += 1;
  const { templateUrl } = await shared.hotlapTestServer.ready;
  project.provide('templateUrl', templateUrl);
}

export async function teardown(): Promise<void> {
  const server = shared.hotlapTestServer;
  if (!server) return;
  server.users -= 1;
  if (server.users > 0) return;
  shared.hotlapTestServer = undefined;
  const { child } = await server.ready;
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.stdin?.end();
  await ended;
}
