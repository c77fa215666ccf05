"""Runs an evaluation in profile mode inside its room, under a profiler or without one, and hands out what was recorded.

    python3 profiled.py <order as JSON>

The order: `run`, the command; `folder`, where it records; `alone`, whether every process that we can signal belongs to
this room; `wanted`, null or the file or folder without which nothing was recorded; `export`, null or the command whose output is the recording as text; `text_name`, where that goes in the
folder; `most_bytes` of the packed recording and `most_text_bytes` of the text.

The descriptors HOTLAP_TRACE_OUT and HOTLAP_TEXT_OUT are ours alone: the program does not inherit them, and this process
is closed to it. The first gets a zip archive of the folder, or nothing when it is empty or too large; the second the
text. We end as the command ended.

This file is copied as it is and imports nothing of the runner.
"""
import ctypes
import glob
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import zipfile

MOST_FILES = 1000
EXPORT_S = 60


def go_first_when_memory_runs_out():
    """Should the machine have none left: we and our children, not the supervisor and not the SSH server."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass


def find_files(folder):
    """(path, name in the archive, size) of every ordinary file below the folder. Links are not followed."""
    found = []
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(where, name)
            entry = os.lstat(path)
            if stat.S_ISREG(entry.st_mode) and len(found) < MOST_FILES:
                found.append((path, os.path.relpath(path, folder), entry.st_size))
    return found


class Capped:
    """A pipe that takes so many bytes and no more."""

    def __init__(self, fd, most):
        self.fd = fd
        self.left = most

    def write(self, data):
        self.left -= len(data)
        if self.left < 0:
            raise OSError("too large")
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view) :]
        return len(data)

    def flush(self):
        pass


def pack(folder, fd, most_bytes):
    files = find_files(folder)
    if not files:
        return
    # A recording that compresses tenfold is usual; beyond that somebody plays.
    if sum(size for _, _, size in files) > 20 * most_bytes:
        print("hotlap: the recording is too large", file=sys.stderr, flush=True)
        return
    with zipfile.ZipFile(Capped(fd, most_bytes), "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path, name, _ in files:
            source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(source, "rb") as file, archive.open(zipfile.ZipInfo(name), "w") as entry:
                shutil.copyfileobj(file, entry, 1 << 20)


def export(order, text_fd):
    path = os.path.join(order["folder"], order["text_name"])
    try:
        with open(path, "xb") as out:
            subprocess.run(order["export"], stdin=subprocess.DEVNULL, stdout=out, timeout=EXPORT_S, check=True)
        with open(path, "rb") as text:
            os.write(text_fd, text.read(order["most_text_bytes"]))
    except (OSError, subprocess.SubprocessError) as error:
        print(f"hotlap: no text of the recording: {error}", file=sys.stderr, flush=True)


def main():
    order = json.loads(sys.argv[1])
    trace_fd, text_fd = (int(os.environ.pop(name)) for name in ("HOTLAP_TRACE_OUT", "HOTLAP_TEXT_OUT"))
    for fd in (trace_fd, text_fd):
        os.set_inheritable(fd, False)
    if sys.platform.startswith("linux"):
        go_first_when_memory_runs_out()
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
    os.makedirs(order["folder"], exist_ok=True)
    pid = os.posix_spawn(order["run"][0], order["run"], os.environ)
    status = os.waitpid(pid, 0)[1]
    if order["alone"]:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
    # What AMD's runtime was asked to keep of the compiled kernels lies beside the evaluation program.
    for path in glob.glob("_code_object*"):
        shutil.move(path, order["folder"])
    try:
        if order["wanted"] is None or os.path.exists(order["wanted"]):
            if order["export"] is not None:
                export(order, text_fd)
            pack(order["folder"], trace_fd, order["most_bytes"])
    except OSError as error:
        print(f"hotlap: the recording is lost: {error}", file=sys.stderr, flush=True)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
