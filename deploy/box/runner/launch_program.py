"""Runs a built evaluation program inside its room: what launcher.py is to Python.

    python3 launch_program.py <program> <mode> <case file> <cache folder>

The program comes with the caches of the build. The submission is a part of it, so nothing can be kept from the one that
the other gets: the secret seed simply becomes POPCORN_SEED. It is in no process's environment before this one's end.

This file is copied as it is and imports nothing of the runner.
"""
import os
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
    name, mode, cases, folder = sys.argv[1:]
    with os.fdopen(int(os.environ.pop("HOTLAP_LAUNCH_FD")), "r") as pipe:
        control, seed = pipe.read().split("\n")[:2]
    cache = os.environ.pop("HOTLAP_CACHE_IN", "")
    if cache:
        cache_pack.unpack(int(cache), folder)
    program = os.path.join(folder, name)
    if not os.access(program, os.X_OK):
        # Too large to be carried, or the disk was full. We are not "ready", so it counts as the machine's fault.
        sys.exit("the built program did not arrive")
    if sys.platform.startswith("linux"):
        go_first_when_memory_runs_out()
    if seed:
        os.environ["POPCORN_SEED"] = seed
    os.write(int(control), b"ready\n")
    os.set_inheritable(int(control), False)
    os.execv(program, ["./" + name, mode, cases])


if __name__ == "__main__":
    main()
