"""Scratch folders on a compute node's own disk, and what killed supervisors left there.

Not in the home that nodes share: that is slow, and root is nobody there. Beside each folder lies a lock file, which its
supervisor holds for as long as it lives; the next job of this user on the node removes those that nobody holds.
"""
from __future__ import annotations

import fcntl
import os
import tempfile

import disk
from paths import make_scratch_base

_LOCK = ".lock"


def scratch_base() -> str:
    return os.path.join(tempfile.gettempdir(), f"hotlap-slurm-{os.geteuid()}")


def hold_scratch(folder: str) -> int:
    """Removes leftovers; returns the descriptor that holds the lock of `folder`, which is still to be made. Raises OSError."""
    base = os.path.dirname(folder)
    make_scratch_base(base)
    for name in os.listdir(base):
        if name.endswith(_LOCK):
            _remove_if_left(os.path.join(base, name[: -len(_LOCK)]))
    while True:
        fd = os.open(folder + _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        # Between the two lines somebody may have found it without a holder, and removed it.
        if _is_still(folder + _LOCK, fd):
            return fd
        os.close(fd)


def release_scratch(folder: str, fd: int) -> None:
    disk.remove_tree(folder)
    os.unlink(folder + _LOCK)
    os.close(fd)


def _remove_if_left(folder: str) -> None:
    try:
        fd = os.open(folder + _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_still(folder + _LOCK, fd):
            disk.remove_tree(folder)
            os.unlink(folder + _LOCK)
    except BlockingIOError:
        pass
    finally:
        os.close(fd)


def _is_still(path: str, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False
