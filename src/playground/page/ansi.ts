import { h } from './dom.ts';

const colours: Record<number, string> = {
  30: '#4f545c',
  31: '#dc322f',
  32: '#859900',
  33: '#b58900',
  34: '#268bd2',
  35: '#d33682',
  36: '#2aa198',
  37: '#ffffff',
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: the colourCode character is what marks a colour
const colourCode = /\u001b\[([\d;]*)m/;

/** The text of an ```ansi block with its colours, bold and underline. */
export function ansiNodes(text: string): Node[] {
  const style = { colour: '', bold: false, underline: false };
  // Splitting on a pattern with one group gives text, codes, text, codes, ...
  return text.split(colourCode).flatMap((part, index) => {
    if (index % 2 === 0) return part === '' ? [] : [styled(part, style)];
    for (const code of part.split(';').map(Number)) {
      if (code === 0) Object.assign(style, { colour: '', bold: false, underline: false });
      else if (code === 1) style.bold = true;
      else if (code === 4) style.underline = true;
      else style.colour = colours[code] ?? style.colour;
    }
    return [];
  });
}

function styled(text: string, style: { colour: string; bold: boolean; underline: boolean }): Node {
  const span = h('span', {}, text);
  span.style.color = style.colour;
  if (style.bold) span.style.fontWeight = '700';
  if (style.underline) span.style.textDecoration = 'underline';
  return span;
}
