import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const folder = new URL('./page/', import.meta.url);

// In this order: what comes later may overrule.
const styles = [
  'base',
  'sidebar',
  'channel',
  'forum',
  'message',
  'select',
  'composer',
  'suggest',
  'modal',
  'narrow',
];

interface PageFile {
  type: string;
  body: Buffer | string;
}

/** The page's three files. The script is bundled on the first request for it, and kept. */
export class PageFiles {
  #script: Uint8Array | undefined;

  async find(path: string): Promise<PageFile | undefined> {
    switch (path) {
      case '/':
        return { type: 'text/html; charset=utf-8', body: await readFile(new URL('index.html', folder)) };
      case '/style.css':
        return { type: 'text/css; charset=utf-8', body: await readStyles() };
      case '/main.js':
        this.#script ??= bundle();
        return { type: 'text/javascript; charset=utf-8', body: Buffer.from(this.#script) };
      default:
        return undefined;
    }
  }
}

async function readStyles(): Promise<string> {
  const sheets = styles.map((name) => readFile(new URL(`styles/${name}.css`, folder), 'utf8'));
  return (await Promise.all(sheets)).join('\n');
}

// buildSync leaves no helper process behind, unlike esbuild's asynchronous service.
function bundle(): Uint8Array {
  const result = buildSync({
    entryPoints: [fileURLToPath(new URL('main.ts', folder))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    write: false,
    legalComments: 'eof',
    logLevel: 'silent',
    tsconfig: fileURLToPath(new URL('tsconfig.json', folder)),
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error('esbuild gave no file for the page');
  return file.contents;
}
