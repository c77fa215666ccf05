"""An ordinary user id for each job, where the runner is root: no two jobs that run at the same time share one.

The ids belong to no account. A job holds its id by a name in the kernel's abstract socket namespace, which the whole
machine shares, which needs no file, and which goes with the process that holds it.
"""
from __future__ import annotations

import errno
import os
import socket
import sys
from typing import List, Optional

from protocol import BoxFailure

#: Above what accounts, containers and systemd hand out; the other where a container maps no such ids.
_HIGH_BASE = 1_900_000_000
_LOW_BASE = 60_600
_COUNT = 500
#: Kept open until the process ends.
_held: List[socket.socket] = []


def take_job_uid() -> Optional[int]:
    """The id for the job of this process, held until the process ends; None where we are no root and stay who we are."""
    first = _first_uid()
    if first is None:
        return None
    for step in range(_COUNT):
        # 0 is the trial's. Starting elsewhere each time, an id is not at once the next job's.
        uid = first + 1 + (os.getpid() + step) % _COUNT
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind(f"\0hotlap-job-uid-{uid}")
        except OSError as error:
            name.close()
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        _held.append(name)
        return uid
    raise BoxFailure("sandbox-failed", f"all {_COUNT} user ids for jobs are taken")


def trial_uid() -> Optional[int]:
    """For a trial that runs nobody's code."""
    return _first_uid()


def _first_uid() -> Optional[int]:
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        return None
    return _HIGH_BASE if _is_mapped(_HIGH_BASE + _COUNT) else _LOW_BASE


def _is_mapped(uid: int) -> bool:
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            ranges = [[int(field) for field in line.split()] for line in file]
    except (OSError, ValueError):
        return False
    return any(inside <= uid < inside + count for inside, _outside, count in ranges)
