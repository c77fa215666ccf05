"""What a cluster needs in a job's folder, which login and compute nodes share: job.json, ticket.json, slurm.json.

A job may stand in Slurm's queue twice (an answer of sbatch was lost) or come back after its end (a controller that was
killed restores an old state). So being in the queue is no right to run. That is the ticket: one file with the secret
seed, which the supervisor takes by renaming it, once for ever. Withdrawn by us, the job surely never runs.

Locks and process ids of one node say nothing on another; liveness goes by Slurm's queue alone. A network file system also
shows a folder as it was some seconds ago, unless it is asked to look again: `refresh`.
"""
from __future__ import annotations

import errno
import fcntl
import json
import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator, Optional

import disk
from paths import MAKING, BoxPaths, JobPaths
from protocol import JobSpec, parse_job, to_json

_NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclass(frozen=True)
class Ticket:
    seed: Optional[int]


def make_slurm_folder(box: BoxPaths, job_key: str, job_value: Any, seed: Optional[int]) -> bool:
    """`job_value` as it was sent, and found good. False when the folder exists. Raises RequestError(disk-full), OSError."""
    paths = box.job(job_key)
    refresh(box.jobs)
    if os.path.isdir(paths.folder):
        return False
    box.make()
    text = to_json(job_value)
    disk.require_space(box.jobs, len(text))
    making = tempfile.mkdtemp(prefix=MAKING, dir=box.jobs)
    try:
        new = JobPaths(making, paths.scratch)
        disk.write_reserve(new.reserve)
        for path, content in ((new.job, text), (new.ticket, to_json({"seed": seed})), (new.submission, "")):
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
        os.rename(making, paths.folder)
        return True
    except OSError:
        disk.remove_tree(making)
        if os.path.isdir(paths.folder):
            return False
        raise


def read_job(paths: JobPaths) -> JobSpec:
    """Raises RequestError, OSError, ValueError."""
    with open(paths.job, encoding="utf-8") as file:
        return parse_job(json.load(file))


def refresh(folder: str) -> None:
    """Opening a folder makes a network file system ask its server what is in it."""
    try:
        os.listdir(folder)
    except OSError:
        pass


def take_ticket(paths: JobPaths, taker: str) -> Optional[Ticket]:
    """On the compute node, before anything else runs; None when it was taken or withdrawn."""
    refresh(paths.folder)
    own = f"{paths.ticket}.{taker}"
    try:
        os.rename(paths.ticket, own)
    except FileNotFoundError:
        # A server whose answer was lost on the way did it nevertheless.
        if not os.path.exists(own):
            return None
    with open(own, encoding="utf-8") as file:
        value = json.load(file)
    os.unlink(own)
    return Ticket(value["seed"])


def withdraw_ticket(paths: JobPaths) -> bool:
    """True: the job has not run and will not."""
    try:
        os.unlink(paths.ticket)
        return True
    except FileNotFoundError:
        return False


def mark_cancelled(paths: JobPaths) -> None:
    try:
        os.close(os.open(paths.cancel_mark, os.O_WRONLY | os.O_CREAT, 0o600))
    except FileNotFoundError:
        pass


def is_marked_cancelled(paths: JobPaths) -> bool:
    refresh(paths.folder)
    return os.path.exists(paths.cancel_mark)


def read_submission(paths: JobPaths) -> Optional[int]:
    """The number that Slurm gave the job; None when none is known (yet)."""
    try:
        with open(paths.submission, encoding="utf-8") as file:
            return json.load(file)["job_id"]
    except (FileNotFoundError, ValueError, KeyError):
        return None


def write_submission(paths: JobPaths, job_id: int) -> None:
    """Into the file itself, not by a rename: its lock is held."""
    with open(paths.submission, "w", encoding="utf-8") as out:
        out.write(to_json({"job_id": job_id}))
        out.flush()
        os.fsync(out.fileno())


@contextmanager
def submission_lock(paths: JobPaths, limit_s: float) -> Iterator[Optional[int]]:
    """Gives its descriptor, or None after `limit_s`. sbatch inherits it: one that outlives its agent still holds it."""
    fd = os.open(paths.submission, os.O_RDWR | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + limit_s
        while not _try_lock(fd):
            if time.monotonic() > deadline:
                yield None
                return
            time.sleep(0.05)
        yield fd
    finally:
        os.close(fd)


def is_being_submitted(paths: JobPaths) -> bool:
    try:
        with submission_lock(paths, 0) as fd:
            return fd is None
    except FileNotFoundError:
        return False


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
        # Without locks a job may be submitted twice; its ticket sees to the rest.
        return True
