/**
 * One command line for whatever login shell a box has.
 *
 * SSH carries a command as one string, and the user's login shell reads it: sh and bash, but also fish and csh, which
 * quote otherwise. So the real command is written for /bin/sh, each character outside a small safe set is turned into
 * an octal escape, and only that is shown to the login shell, in single quotes that hold nothing special to any of them.
 *
 * Login shells may also print text of their own (a banner in ~/.bashrc). The command therefore starts by printing a
 * start mark on both of its outputs; whatever came before it is not the command's. The mark has the process id, which
 * the command keeps: ending a channel does not end what runs at its other side, and sshd passes no signals on for root.
 */

/** The control characters are always sent as escapes, so that a shell that echoes its input cannot fake the mark. */
export const START_MARK = '\u0001hotlap-start ';
export const START_MARK_END = '\u0001\n';

/** Quotes for a POSIX shell. Throws on a NUL character, which no argument can hold. */
export function quote(argument: string): string {
  if (argument.includes('\0')) throw new TypeError('a command argument cannot hold a NUL character');
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** The command line for the login shell: prints the start mark on both outputs, then becomes `command`. */
export function loginShellLine(command: readonly string[]): string {
  const mark = `printf '%s%d%s\\n' ${quote(START_MARK)} $$ ${quote(START_MARK_END.trimEnd())}`;
  const script = `${mark}; ${mark} >&2; exec ${command.map(quote).join(' ')}`;
  return `exec /bin/sh -c 'eval "$(printf "%b" "${octal(script)}")"'`;
}

/** The command line that ends a command by the process id of its start mark, with its group where it leads one. */
export function killLine(pid: number): string {
  return `/bin/sh -c 'kill -9 -${pid} || kill -9 ${pid}'`;
}

/** `\0ooo` for each byte that is not plainly safe within single and double quotes: what printf's %b takes back. */
function octal(text: string): string {
  let escaped = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const character = String.fromCharCode(byte);
    escaped += /[A-Za-z0-9 _./:=@+,-]/.test(character)
      ? character
      : `\\0${byte.toString(8).padStart(3, '0')}`;
  }
  return escaped;
}
