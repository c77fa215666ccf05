/**
 * For organisers: submissions as a data set. The path is that of a server that uploads the file to Hugging Face; here it is
 * kept on this machine, to be fetched and put wherever it belongs.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { listBoardsById } from '../../db/export.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import { Refusal } from '../errors.ts';
import { writeExport } from '../export-file.ts';
import type { RouteParts, Server } from '../route.ts';
import { bad, failures, knownId, loosely, okStatus } from '../schemas.ts';

const EXPORT_TIMEOUT_MS = 600_000;
const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,150}\.(parquet|zip)$/;

export function adminExportRoutes(server: Server, { sql, guards, exportsDir }: RouteParts): void {
  server.post(
    '/admin/export-hf',
    {
      onRequest: guards.admin,
      handlerTimeout: EXPORT_TIMEOUT_MS,
      schema: {
        summary: 'Write the ended submissions of leaderboards to a Parquet file',
        tags: ['admin'],
        security: security.admin,
        body: z.object({
          leaderboard_ids: loosely({ type: 'array', items: { type: 'integer' } }),
          filename: loosely({ type: 'string' }).describe('Ends with .parquet'),
          private: loosely({ type: 'boolean' }).describe(
            'true, the default: for organisers; false: to publish, so no leaderboard may be open any more',
          ),
          secret_scores: loosely({ type: 'boolean' }).describe('With secret scores; private files alone'),
        }),
        response: {
          200: z.object({
            status: okStatus,
            filename: z.string(),
            rows: z.int(),
            bytes: z.int(),
            path: z.string().describe('Where to fetch it'),
          }),
          ...failures,
        },
      },
    },
    async (request) => {
      const {
        leaderboard_ids: ids,
        filename,
        private: isPrivate = true,
        secret_scores: secrets,
      } = request.body;
      if (!Array.isArray(ids) || ids.length === 0 || !ids.every(Number.isInteger)) {
        throw bad('leaderboard_ids must be a non-empty list of integers');
      }
      if (typeof filename !== 'string' || !filename.endsWith('.parquet')) {
        throw bad('filename must end with .parquet');
      }
      if (!FILE_NAME.test(filename)) throw bad('filename must be letters, digits, "_", "-" and "." alone');
      if (secrets === true && isPrivate !== true) throw bad('secret_scores are for private files alone');
      const wanted = [...new Set(ids.map(knownId))];
      const boards = await listBoardsById(sql, wanted);
      if (boards.length < wanted.length) {
        throw new Refusal(404, 'unknown-leaderboard', 'One of leaderboard_ids does not exist.');
      }
      const open = boards.filter((board) => board.open).map((board) => board.name);
      if (isPrivate !== true && open.length > 0) {
        throw bad(`Cannot export active leaderboards to the public dataset: ${open.join(', ')}`);
      }
      const file = path.join(exportsDir, filename);
      const options = { file, leaderboardIds: wanted, secretScores: secrets === true };
      const { rows, bytes } = await writeExport(sql, options);
      const leaderboards = boards.map((board) => board.name);
      const after = { file: filename, leaderboards, secrets: secrets === true, rows };
      await recordOf(request).note(sql, { subject: 'contest', after });
      return { status: 'ok' as const, filename, rows, bytes, path: `/admin/exports/${filename}` };
    },
  );

  server.get(
    '/admin/exports/:file',
    {
      onRequest: guards.admin,
      schema: {
        summary: 'Fetch such a file',
        tags: ['admin'],
        security: security.admin,
        params: z.object({ file: z.string().max(200) }),
        response: {
          200: {
            description: 'Parquet, or a zip file of `/admin contest export`',
            content: { 'application/vnd.apache.parquet': { schema: z.unknown() } },
          },
          ...failures,
        },
      },
    },
    async (request, reply) => {
      const name = request.params.file;
      const file = path.join(exportsDir, name);
      const found = FILE_NAME.test(name) ? await stat(file).catch(() => null) : null;
      if (!found?.isFile()) throw new Refusal(404, 'unknown-file', `There is no file \`${name}\`.`);
      return reply
        .type(name.endsWith('.zip') ? 'application/zip' : 'application/vnd.apache.parquet')
        .header('content-length', found.size)
        .send(createReadStream(file) as never);
    },
  );
}
