"""A supervisor's second name, which no `rm -rf` takes away.

A job's folder can be removed while the job runs: by a cleaner of temporary files, an operator, a reinstalled home. The
lock in it then finds nobody, but the supervisor and the job's processes live on. So a supervisor also listens on a
socket in Linux's abstract namespace, which has no file: it exists exactly as long as its process, whoever asks learns
its process id from the kernel, and /proc/net/unix lists all of them. Nobody ever talks over it. A sandboxed job has a
network namespace of its own and sees none of this.

Elsewhere than on Linux there is no such name, and a job whose folder is gone is not found.
"""
from __future__ import annotations

import hashlib
import os
import socket
import struct
from typing import List, Optional

from paths import JobPaths
from process_tree import IS_LINUX

_CREDENTIALS = struct.Struct("3i")
#: Each look takes a place in the queue until the supervisor ends; nobody accepts.
_BACKLOG = 128


def _prefix(jobs: str) -> str:
    # With the longest job key this stays below the 107 characters that such a name may have.
    return f"hotlap/{hashlib.sha256(jobs.encode()).hexdigest()[:16]}/"


def _address(paths: JobPaths) -> str:
    jobs, job_key = os.path.split(paths.folder)
    return f"\0{_prefix(jobs)}{job_key}"


def take_name(paths: JobPaths) -> Optional[socket.socket]:
    """The name is held for as long as the socket is. None where it cannot be had: the folder's lock must do then."""
    if not IS_LINUX:
        return None
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        holder.bind(_address(paths))
        holder.listen(_BACKLOG)
        return holder
    except OSError:
        holder.close()
        return None


def find_by_name(paths: JobPaths) -> Optional[int]:
    """The living supervisor's process id, 0 when there is one whose id cannot be told, None when there is none."""
    if not IS_LINUX:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asker:
        asker.setblocking(False)
        try:
            asker.connect(_address(paths))
        except BlockingIOError:
            return 0  # The queue is full.
        except OSError:
            return None
        answer = asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _gid = _CREDENTIALS.unpack(answer)
    # Anybody on the machine can take a name: ours are our user's. Without an id it belongs to another container.
    return pid if pid > 0 and uid == os.geteuid() else None


def list_named_keys(jobs: str) -> List[str]:
    """The keys of all jobs below the folder `jobs` whose supervisors live, whether or not their folders are there."""
    if not IS_LINUX:
        return []
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
            names = [line.split()[-1] for line in file]
    except (OSError, IndexError):
        return []
    start = "@" + _prefix(jobs)
    return sorted({name[len(start) :] for name in names if name.startswith(start)})
