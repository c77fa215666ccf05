/** The pages that a browser shows while a command line is linked: plain HTML, no script, nothing from elsewhere. */
import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

const style = `
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: light-dark(#f2f3f5, #1e1f22);
  color: light-dark(#1e1f22, #dbdee1); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 30rem; margin: 1rem; padding: 1.75rem 2rem; border-radius: 12px;
  background: light-dark(#fff, #2b2d31); border: 1px solid light-dark(#e0e1e5, #3a3c42); }
h1 { margin: 0 0 .75rem; font-size: 1.3rem; line-height: 1.3; }
p { margin: .75rem 0; overflow-wrap: anywhere; }
code { padding: .1em .35em; border-radius: 4px; background: light-dark(#ebedef, #1e1f22); font-size: .9em; }
form { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.5rem; }
button { padding: .6rem 1.1rem; border: 0; border-radius: 8px; font: inherit; font-weight: 600; cursor: pointer; }
button[value=yes] { background: #4752c4; color: #fff; }
button[value=no] { background: light-dark(#e3e5e8, #4e5058); color: inherit; }
button:focus-visible { outline: 3px solid light-dark(#1e1f22, #fff); outline-offset: 2px; }
`;
const styleHash = createHash('sha256').update(style).digest('base64');

/** Markup that is ready to be shown. */
export interface Html {
  html: string;
}

/** Text between the markup is escaped; what is Html already is not. */
export function html(parts: TemplateStringsArray, ...values: (string | Html)[]): Html {
  const escaped = values.map((value) => (typeof value === 'string' ? escapeHtml(value) : value.html));
  return { html: parts.map((part, index) => `${part}${escaped[index] ?? ''}`).join('') };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}

/** No other site may frame it (a frame could be put under somebody's click), and its address goes nowhere. */
export function sendPage(reply: FastifyReply, status: number, title: string, body: Html): FastifyReply {
  const page = html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title} · Hotlap</title><style>${{ html: style }}</style></head><body><main><h1>${title}</h1>${body}</main></body></html>\n`;
  return reply
    .code(status)
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    })
    .send(page.html);
}
