"""Runs the warm-up, or the compiler, inside its room and hands out what it left in the cache folder.

    python3 warmup.py alone|shared <most bytes> <cache folder> <program> <its arguments ...>

The descriptor HOTLAP_CACHE_OUT is ours alone: the program does not inherit it, and this process is closed to it. `alone`
says that every process we can signal belongs to this room: they are ended before the folder is packed. We end as the
program ended, or with 126 when it could not be started.

This file is copied as it is and imports nothing of the runner.
"""
import ctypes
import os
import signal
import sys

import cache_pack


def go_first_when_memory_runs_out():
    """Should the machine have none left: we and our children, not the supervisor and not the SSH server."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass


def main():
    standing, most_bytes, folder, *command = sys.argv[1:]
    cache_out = int(os.environ.pop("HOTLAP_CACHE_OUT"))
    os.set_inheritable(cache_out, False)
    if sys.platform.startswith("linux"):
        go_first_when_memory_runs_out()
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
    try:
        pid = os.posix_spawn(command[0], command, os.environ)
    except OSError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(126)
    status = os.waitpid(pid, 0)[1]
    if standing == "alone":
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
    cache_pack.pack(folder, cache_out, int(most_bytes))
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
