"""A job's folder: made at once or not at all, and alive exactly as long as its lock is held.

The folder is filled under a temporary name, its lock is taken, then it is renamed. Of two starts of one key only one
rename succeeds; the other attaches. The lock belongs to the open file, so it passes through fork to the supervisor
and goes with it, however it ends. A process id alone could be somebody else's by then.
"""
from __future__ import annotations

import fcntl
import json
import os
import tempfile
import time
from typing import Any, Optional

import disk
import incoming
from paths import MAKING, REMOVING, BoxPaths, JobPaths
from protocol import JobSpec, to_json
from supervisor_name import find_by_name

#: A folder under a temporary name and without a lock is a leftover after this long.
_LEFTOVER_S = 60.0


def make_job_folder(box: BoxPaths, job: JobSpec) -> Optional[int]:
    """Returns the descriptor that holds the lock, or None when the folder exists already.

    Raises RequestError(disk-full), OSError.
    """
    paths = box.job(job.job_key)
    if os.path.isdir(paths.folder):
        return None
    box.make()
    text = to_json(job)
    disk.require_space(box.jobs, len(text))
    making = tempfile.mkdtemp(prefix=MAKING, dir=box.jobs)
    lock = -1
    try:
        # The sandbox user passes through to its scratch folder; it cannot list the folder.
        os.chmod(making, 0o711)
        new = JobPaths(making, paths.scratch)
        lock = os.open(new.pid, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        disk.write_reserve(new.reserve)
        with open(os.open(new.job, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
        os.rename(making, paths.folder)
        return lock
    except OSError:
        if lock >= 0:
            os.close(lock)
        disk.remove_tree(making)
        if os.path.isdir(paths.folder):
            return None
        raise


def read_supervisor_pid(paths: JobPaths) -> Optional[int]:
    """The living supervisor's process id; None when there is none."""
    try:
        fd = os.open(paths.pid, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return find_by_name(paths)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(fd, 32).decode("ascii", "replace").strip()
            # Empty for the instant between the folder's birth and the supervisor's.
            return int(text) if text.isdigit() else 0
        return None
    finally:
        os.close(fd)


def is_supervised(paths: JobPaths) -> bool:
    return read_supervisor_pid(paths) is not None


def wait_until_unsupervised(paths: JobPaths, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    pause_s = 0.001
    while is_supervised(paths):
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.02)
    return True


def read_result(paths: JobPaths) -> Optional[Any]:
    try:
        with open(paths.result, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None


def read_state(paths: JobPaths) -> str:
    if not os.path.isdir(paths.folder):
        return "unknown" if find_by_name(paths) is None else "running"
    # The lock first: a result that appears after this look is then not mistaken for a death.
    supervised = is_supervised(paths)
    if os.path.exists(paths.result):
        return "finished"
    return "running" if supervised else "dead"


def remove_job_folder(box: BoxPaths, paths: JobPaths) -> bool:
    """Removes the folder of a job that nobody supervises; false when there was none."""
    trash = tempfile.mkdtemp(prefix=REMOVING, dir=box.jobs) if os.path.isdir(box.jobs) else None
    if trash is None:
        return False
    try:
        os.rename(paths.folder, os.path.join(trash, "job"))
    except FileNotFoundError:
        return False
    finally:
        disk.remove_tree(trash)
    disk.remove_tree(paths.scratch)
    incoming.forget(box, os.path.basename(paths.folder))
    return True


def remove_leftover_folders(box: BoxPaths) -> None:
    """What a crash in the middle of making or removing a folder left behind."""
    incoming.remove_leftovers(box)
    try:
        names = os.listdir(box.jobs)
    except FileNotFoundError:
        return
    for name in names:
        path = os.path.join(box.jobs, name)
        if name.startswith((MAKING, REMOVING)):
            try:
                old = time.time() - os.stat(path).st_mtime > _LEFTOVER_S
            except FileNotFoundError:
                continue
            if old and not is_supervised(JobPaths(path, path)):
                disk.remove_tree(path)
