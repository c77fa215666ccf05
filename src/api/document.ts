/** The OpenAPI document, made from the zod schemas by which the routes check what comes and goes, and a page that shows it. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { createJsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { Server } from './server-type.ts';

const DESCRIPTION = `Submit code to leaderboards, follow it, and read results.

People name themselves by \`X-Popcorn-Cli-Id\` (command lines) or \`X-Web-Auth-Id\` (the website), organisers by a bearer
token. Every error is JSON with one string in \`detail\`. Scores are seconds unless a board says otherwise.`;

const zodTransform = createJsonSchemaTransform({});
const file = {
  type: 'object',
  required: ['file'],
  properties: { file: { type: 'string', format: 'binary', description: 'With a file name; UTF-8 source' } },
};

/** Before any route is added. */
export async function describeApi(server: Server): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Hotlap', description: DESCRIPTION, version: '1.0.0' },
      tags: [
        { name: 'submit', description: 'Sending code' },
        { name: 'submissions', description: 'What became of it' },
        { name: 'runs', description: 'What was run, stage by stage' },
        { name: 'boards', description: 'Leaderboards and who stands where' },
        { name: 'reports', description: 'Boards, entries and runs over time' },
        { name: 'accounts', description: 'Linking a command line' },
        { name: 'admin', description: 'For organisers' },
        { name: 'operation', description: 'For whoever runs the server' },
      ],
      components: {
        securitySchemes: {
          cli: { type: 'apiKey', in: 'header', name: 'X-Popcorn-Cli-Id' },
          web: { type: 'apiKey', in: 'header', name: 'X-Web-Auth-Id' },
          admin: { type: 'http', scheme: 'bearer' },
        },
      },
    },
    transformObject: (document) => withoutUnused(jsonSchemaTransformObject(document)),
    transform: (route) => {
      const transformed = zodTransform(route as Parameters<typeof zodTransform>[0]);
      // Uploads are read by hand, so no schema checks them.
      if (route.schema?.consumes?.includes('multipart/form-data')) {
        Object.assign(transformed.schema ?? {}, { body: file });
      }
      return transformed;
    },
  });
  await server.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    // Nothing is loaded from elsewhere, nor told to anybody.
    uiConfig: { validatorUrl: null, docExpansion: 'list', tryItOutEnabled: true },
    theme: {
      title: 'Hotlap: the HTTP API',
      // The bar at the top asks for another document, of which there is none.
      css: [{ filename: 'page.css', content: '.swagger-ui .topbar { display: none }' }],
    },
  });
  server.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger());
}

type Document = ReturnType<typeof jsonSchemaTransformObject>;

/** Each schema is written twice, for what comes in and what goes out; one that nothing refers to is only in the way. */
function withoutUnused(document: Document): Document {
  if (!('components' in document)) return document;
  const schemas = document.components?.schemas ?? {};
  for (let found = true; found; ) {
    const text = JSON.stringify(document);
    const unused = Object.keys(schemas).filter((name) => !text.includes(`"#/components/schemas/${name}"`));
    for (const name of unused) delete schemas[name];
    // What only those referred to goes with them.
    found = unused.length > 0;
  }
  return document;
}

/** Whose header a route wants, for the document. */
export const security = {
  user: [{ cli: [] }, { web: [] }],
  cliUser: [{ cli: [] }],
  optionalUser: [{}, { cli: [] }, { web: [] }],
  viewer: [{}, { cli: [] }, { web: [] }, { admin: [] }],
  admin: [{ admin: [] }],
  adminAndUser: [
    { admin: [], cli: [] },
    { admin: [], web: [] },
  ],
};
