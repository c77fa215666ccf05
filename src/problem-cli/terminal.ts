/** Text for a terminal, for a pipe, and for a log of some build: colours only where they are wanted. */
import { stripVTControlCharacters, styleText } from 'node:util';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Respects NO_COLOR and FORCE_COLOR, and whether `stream` is a terminal. */
export function styled(stream: NodeJS.WriteStream, style: Style | Style[], text: string): string {
  return styleText(style, text, { stream });
}

/** Strangers' text, without what would move the cursor or set colours. Line ends and tabs stay. */
export function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll('\r\n', '\n')
    .replace(/\p{Cc}/gu, (char) => (char === '\n' || char === '\t' ? char : '\ufffd'));
}

export function indented(text: string, by: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : by + line))
    .join('\n');
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
