/**
 * Before an agent can be opened: a Python that is new enough, and the runner archive in its place.
 *
 * The archive is put there by that Python itself, not by shell tools: it checks the hash, writes under a temporary
 * name and renames, and names a full disk by its errno instead of in the language of the box.
 */
import { z } from 'zod';
import { BoxError } from '../domain/box-error.ts';
import { excerpt } from './lines.ts';
import { DEFAULT_ROOT, runnerPath } from './paths.ts';
import type { RunnerArchive } from './runner-archive.ts';
import type { Transport } from './transport.ts';

const FIND_PYTHON_TIMEOUT_MS = 60_000;
const INSTALL_TIMEOUT_MS = 120_000;

/**
 * One line a Python: its name on the PATH, tab, version and real path (what is on the PATH may be a slow chooser of
 * versions), or what it said instead. Stops at the first that will do.
 */
const findPythonScript = `
for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
  path=$(command -v "$name") || continue
  said=$("$path" -c 'import sys; print("%d.%d.%d\\t%s" % (sys.version_info[:3] + (sys.executable,))); sys.exit(sys.version_info < (3, 9))' 2>&1 </dev/null)
  code=$?
  printf '%s\\t%s\\n' "$path" "$said"
  if [ $code -eq 0 ]; then exit 0; fi
done
exit 9
`;

const installScript = `
import errno, hashlib, json, os, sys
root, name, folder = os.path.expanduser(sys.argv[1]), sys.argv[2], None
def finish(**answer):
    print(json.dumps(answer))
    sys.exit(0)
try:
    if not os.path.isabs(root):
        finish(state="error", errno="EINVAL", message="no home directory for " + root)
    folder = os.path.join(root, "runner")
    path = os.path.join(folder, name + ".zip")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    try:
        with open(path, "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() == name:
                finish(state="present", root=root)
    except FileNotFoundError:
        pass
    if sys.argv[3] == "look":
        finish(state="missing", root=root)
    data = sys.stdin.buffer.read()
    if hashlib.sha256(data).hexdigest() != name:
        finish(state="damaged", root=root, size=len(data))
    draft = "%s.%d" % (path, os.getpid())
    try:
        with open(draft, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        try:
            os.unlink(draft)
        except OSError:
            pass
        raise
    finish(state="present", root=root)
except OSError as error:
    finish(state="error", errno=errno.errorcode.get(error.errno, "?"), message=str(error))
`;

const installAnswer = z.discriminatedUnion('state', [
  z.object({ state: z.literal('present'), root: z.string() }),
  z.object({ state: z.literal('missing'), root: z.string() }),
  z.object({ state: z.literal('damaged'), root: z.string(), size: z.number() }),
  z.object({ state: z.literal('error'), errno: z.string(), message: z.string() }),
]);

export interface InstalledRunner {
  /** Absolute path of the interpreter that runs the agent. */
  python: string;
  /** Absolute. */
  root: string;
  /** Absolute path of the archive. */
  runner: string;
}

/**
 * Finds Python and makes sure that the archive is there, uploading it only when it is not. `root` may begin with `~`.
 * Throws BoxError `no-python` (naming what was found), `disk-full`, `runner-crashed` (the folder cannot be written) or
 * what `Transport.exec` throws.
 */
export async function installRunner(
  transport: Transport,
  archive: RunnerArchive,
  root: string = DEFAULT_ROOT,
): Promise<InstalledRunner> {
  const python = await findPython(transport);
  const run = async (what: 'look' | 'store') => {
    const { code, stdout, stderr } = await transport.exec(
      [python, '-I', '-c', installScript, root, archive.hash, what],
      { stdin: what === 'store' ? archive.bytes : new Uint8Array(), timeoutMs: INSTALL_TIMEOUT_MS },
    );
    const answer = installAnswer.safeParse(jsonOrNull(stdout));
    if (answer.success) return answer.data;
    const words = excerpt(stderr.slice(-600) || stdout);
    throw new BoxError('protocol-error', `${python} on ${transport.name} ended with code ${code}: ${words}`);
  };
  const looked = await run('look');
  const state = looked.state === 'missing' ? await run('store') : looked;
  if (state.state === 'present')
    return { python, root: state.root, runner: runnerPath(state.root, archive.hash) };
  if (state.state === 'error') {
    const full = state.errno === 'ENOSPC' || state.errno === 'EDQUOT';
    const message = `the runner could not be put on ${transport.name}: ${excerpt(state.message)}`;
    throw new BoxError(full ? 'disk-full' : 'runner-crashed', message);
  }
  throw new BoxError('channel-lost', `the runner arrived damaged on ${transport.name}`);
}

async function findPython(transport: Transport): Promise<string> {
  const { code, stdout } = await transport.exec(['/bin/sh', '-c', findPythonScript], {
    timeoutMs: FIND_PYTHON_TIMEOUT_MS,
  });
  const found = stdout.split('\n').filter((line) => line.startsWith('/'));
  const [name, , path] = found.at(-1)?.split('\t') ?? [];
  if (code === 0 && name !== undefined) return path || name;
  const what =
    found.length === 0
      ? 'there is no python3 on the PATH'
      : `found ${excerpt(found.join('; ').replaceAll('\t', ' '))}`;
  throw new BoxError('no-python', `${transport.name} has no Python 3.9 or newer: ${what}`);
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
