/**
 * Requests made from an OpenAPI document: what it allows, and what it does not. Everything follows from a seed.
 *
 * Two of three requests are as the document has them, with values that exist on the stage mixed in; the rest are bent:
 * values of other types and sizes, bodies that are cut off or no JSON at all, headers twice, paths with odd bytes.
 */
import { Random } from '../chaos/random.ts';
import type { Call } from './api-client.ts';
import { cliUpload } from './api-stage.ts';

interface Schema {
  type?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
}

interface Operation {
  parameters?: { name: string; in: 'path' | 'query'; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

export interface ApiDocument {
  paths: Record<string, Record<string, Operation>>;
}

export interface MadeRequest {
  method: string;
  path: string;
  call: Call;
  /** The route as the document names it. */
  route: string;
}

/** Values that mean something where the requests go, by the name of their field. */
export type KnownValues = Record<string, string[]>;

const oddTexts = [
  ...[
    '',
    ' ',
    '0',
    '-1',
    '1e9',
    'NaN',
    'null',
    'true',
    '[]',
    '{}',
    '../../etc/passwd',
    '%00',
    '\u0000',
    '\ud800',
  ],
  ...[
    "' or 1=1 --",
    '$1',
    '"; drop table x',
    '<script>',
    '😀'.repeat(20),
    'x'.repeat(300),
    'ünïcode',
    '\r\nx: y',
  ],
  ...[
    '9007199254740993',
    '99999999999999999999',
    '00',
    '٣',
    '1\n2',
    '__proto__',
    'constructor',
    '%',
    '%zz',
    '.',
    '..',
  ],
];
const oddValues: unknown[] = [...oddTexts, 0, -1, 1.5, 2 ** 53, true, null, [], {}, [[[]]], { a: { b: 1 } }];

export class RequestMaker {
  readonly #operations: { method: string; route: string; operation: Operation }[];
  readonly #known: KnownValues;
  readonly #random: Random;

  constructor(document: ApiDocument, known: KnownValues, seed: number) {
    this.#operations = Object.entries(document.paths).flatMap(([route, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        route,
        operation,
      })),
    );
    this.#known = known;
    this.#random = new Random(seed);
  }

  next(): MadeRequest {
    const { method, route, operation } = this.#pick(this.#operations);
    const bent = this.#chance(1 / 3);
    let path = route;
    const query: string[] = [];
    for (const { name, in: where, schema } of operation.parameters ?? []) {
      const value = String(this.#value(name, schema, bent));
      if (where === 'path') path = path.replace(`{${name}}`, encoded(value) || '%20');
      else if (this.#chance(0.7)) query.push(`${encodeURIComponent(name)}=${encoded(value)}`);
    }
    if (bent && this.#chance(0.1))
      path += this.#pick(['/', '//', '?', '%2e%2e', '/%zz', '#x']).replace('#', '%23');
    if (bent && this.#chance(0.1))
      query.push(`${encoded(this.#pick(oddTexts))}=${encoded(this.#pick(oddTexts))}`);
    const target = query.length > 0 ? `${path}?${query.join('&')}` : path;
    const call = operation.requestBody ? this.#body(operation.requestBody.content, bent) : {};
    const odd =
      bent && this.#chance(0.05)
        ? this.#pick(['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE'])
        : method;
    return { method: odd, path: target, call, route };
  }

  #body(content: Record<string, { schema: Schema }>, bent: boolean): Call {
    const [type = '', { schema } = { schema: {} }] = Object.entries(content)[0] ?? [];
    if (type === 'multipart/form-data') return this.#upload(bent);
    const value: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      if (this.#chance(0.8)) value[name] = this.#value(name, field, bent);
    }
    if (bent && this.#chance(0.2)) value[this.#pick(oddTexts)] = this.#pick(oddValues);
    let body = JSON.stringify(bent && this.#chance(0.2) ? this.#pick(oddValues) : value);
    if (bent && this.#chance(0.2)) body = body.slice(0, Math.floor(body.length / 2));
    const contentType =
      bent && this.#chance(0.15)
        ? this.#pick([
            'text/plain',
            'application/xml',
            'multipart/form-data',
            'x',
            'application/json; charset=x',
          ])
        : 'application/json';
    return { headers: { 'content-type': contentType }, body };
  }

  #upload(bent: boolean): Call {
    const name = bent ? headerSafe(this.#pick(oddTexts)) : 'kernel.py';
    const code = this.#chance(0.8) ? `# ${this.#number(1e9)}\nx = 1\n` : this.#pick(oddTexts);
    const { headers, body } = cliUpload(name, code);
    if (!bent || this.#chance(0.5)) return { headers, body };
    return this.#pick<Call>([
      { headers, body: body.subarray(0, this.#number(body.length)) },
      { headers: { 'content-type': 'multipart/form-data' }, body },
      { headers: { 'content-type': 'application/json' }, body },
      {
        headers,
        body: Buffer.from(body.toString('latin1').replace('name="file"', 'name="other"'), 'latin1'),
      },
      { headers, body: Buffer.concat([body, body]) },
      { headers, body: Buffer.alloc(this.#number(4096), this.#number(256)) },
    ]);
  }

  #value(name: string, schema: Schema, bent: boolean): unknown {
    if (bent && this.#chance(0.5)) return this.#pick(oddValues);
    const known = this.#known[name];
    if (known && this.#chance(0.85)) return this.#pick(known);
    if (schema.enum) return this.#pick(schema.enum);
    if (schema.anyOf) return this.#value(name, this.#pick(schema.anyOf), false);
    switch (schema.type) {
      case 'integer':
      case 'number':
        return this.#number(200) - 20;
      case 'boolean':
        return this.#chance(0.5);
      case 'array':
        return Array.from({ length: this.#number(3) }, () => this.#value(name, schema.items ?? {}, bent));
      case 'object':
        return {};
      default:
        return this.#pick(oddTexts);
    }
  }

  #pick<T>(values: readonly T[]): T {
    return this.#random.pick(values);
  }

  #chance(part: number): boolean {
    return this.#random.next() < part;
  }

  #number(below: number): number {
    return Math.floor(this.#random.between(0, below));
  }
}

/** As a client would send it; lone surrogates have no encoding. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function headerSafe(text: string): string {
  return text.replace(/[\r\n]/g, ' ');
}
