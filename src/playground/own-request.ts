import type { IncomingMessage } from 'node:http';

const loopbackNames = new Set(['127.0.0.1', 'localhost', '[::1]']);

/**
 * Whether a request comes from the playground's own page or from no browser at all. Any website a person visits could
 * otherwise post a submission to their loopback port, or reach it under a name of its own (DNS rebinding).
 */
export function isOwnRequest(request: IncomingMessage, boundTo: string): boolean {
  const { host = '', origin } = request.headers;
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) return false;
  const name = host.replace(/:\d+$/, '');
  const onLoopback = boundTo === '::1' || loopbackNames.has(boundTo);
  return !onLoopback || loopbackNames.has(name) || name === boundTo;
}
