"""Counts what starts on a box, as the kernel sees it: one line of JSON for each job folder that appears.

    python3 start_witness.py <jobs folder> ...

The runner makes a job's folder under a temporary name and renames it; whoever wins that rename starts the job, once. So
a rename into the folder is a start, whatever the runner, its events or the database say about it afterwards. Prints
{"ready": true} once it watches, and ends with its standard input.
"""
import ctypes
import json
import os
import select
import struct
import sys

IN_MOVED_TO = 0x80
HEADER = struct.Struct("iIII")


def main(folders):
    libc = ctypes.CDLL(None, use_errno=True)
    inotify = libc.inotify_init1(os.O_CLOEXEC)
    watched = {}
    for folder in folders:
        watch = libc.inotify_add_watch(inotify, os.fsencode(folder), IN_MOVED_TO)
        if watch < 0:
            raise OSError(ctypes.get_errno(), "cannot watch " + folder)
        watched[watch] = folder
    say({"ready": True})
    while True:
        readable, _, _ = select.select([inotify, sys.stdin], [], [])
        if inotify in readable:
            for watch, name in read_events(os.read(inotify, 65536)):
                if watch < 0:
                    raise SystemExit("the kernel dropped events: the count would be wrong")
                if not name.startswith("."):
                    say({"folder": watched[watch], "key": name, "marker": marker(watched[watch], name)})
        elif sys.stdin in readable and not sys.stdin.buffer.read1(4096):
            return


def read_events(data):
    at = 0
    while at < len(data):
        watch, _mask, _cookie, length = HEADER.unpack_from(data, at)
        at += HEADER.size
        yield watch, data[at : at + length].rstrip(b"\0").decode()
        at += length


def marker(folder, name):
    """What the runner puts into the environment of the job's processes; None when the folder is gone already."""
    try:
        facts = os.stat(os.path.join(folder, name))
    except FileNotFoundError:
        return None
    return "%d.%d" % (facts.st_dev, facts.st_ino)


def say(message):
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
