"""Runs the warm-up inside its room and hands out what it left in the cache folder.

    python3 warmup.py alone|shared <most bytes> <cache folder> <python> <file>

The descriptors HOTLAP_CACHE_IN (what the warm-up of an earlier stage left, if any) and HOTLAP_CACHE_OUT are ours alone:
the participant's program does not inherit them, and this process is closed to it. `alone` says that every process we
can signal belongs to this warm-up: they are ended before the folder is packed. We end as the program ended.

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
    standing, most_bytes, folder, python, file = sys.argv[1:]
    fds = {name: int(os.environ.pop(name, "-1")) for name in ("HOTLAP_CACHE_IN", "HOTLAP_CACHE_OUT")}
    for fd in fds.values():
        if fd >= 0:
            os.set_inheritable(fd, False)
    if sys.platform.startswith("linux"):
        go_first_when_memory_runs_out()
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
    if fds["HOTLAP_CACHE_IN"] >= 0:
        cache_pack.unpack(fds["HOTLAP_CACHE_IN"], folder)
    pid = os.posix_spawn(python, [python, file], os.environ)
    status = os.waitpid(pid, 0)[1]
    if standing == "alone":
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
    cache_pack.pack(folder, fds["HOTLAP_CACHE_OUT"], int(most_bytes))
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
