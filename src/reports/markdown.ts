/** Strangers' text inside Discord's markdown. */

/** The most that one embed field value may hold. */
export const FIELD_CHARS = 1024;
const ZERO_WIDTH_SPACE = '\u200b';

/** Inline code that its content cannot leave. */
export function code(text: string): string {
  const clean = text.replaceAll('`', 'ˋ').replace(/\s+/g, ' ').trim();
  return `\`${clean === '' ? ' ' : clean}\``;
}

/** A code block that its content cannot leave; the tail is kept when it is too long. */
export function codeBlock(text: string, maxChars: number): string {
  const clean = text.replace(/`(?=`)/g, `\`${ZERO_WIDTH_SPACE}`).trimEnd();
  const room = maxChars - 10;
  const shown = clean.length > room ? `…${clean.slice(1 - room)}` : clean;
  return `\`\`\`\n${shown.toWellFormed()}\n\`\`\``;
}

/** Plain text: nothing in it formats, mentions or links. */
export function plain(text: string): string {
  return text.replace(/[\\*_~`|>#[\]<]/g, (mark) => `\\${mark}`).replaceAll('@', `@${ZERO_WIDTH_SPACE}`);
}

/** Half a surrogate pair at the cut would be no valid JSON for Discord. */
export function cut(text: string, maxChars: number): string {
  return text.length > maxChars ? `${text.slice(0, maxChars - 1).toWellFormed()}…` : text;
}
