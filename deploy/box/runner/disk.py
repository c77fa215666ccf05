"""Writing on a disk that may be full, and removing what hostile code may have left behind."""
from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from typing import Any, Tuple

from wire_fields import RequestError

#: A job is refused below this: its reports alone may need that much.
REQUIRED_FREE_BYTES = 8 * 1024 * 1024
RESERVE_BYTES = 128 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _FULL


def free_bytes(path: str) -> int:
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


def require_space(path: str, needed_bytes: int) -> None:
    free = free_bytes(path)
    if free < REQUIRED_FREE_BYTES + needed_bytes:
        raise RequestError("disk-full", f"{free // 1024} KiB are free under {path}, that is too little for a job")


def write_reserve(path: str) -> None:
    # Real bytes: a sparse file would hold nothing back.
    with open(path, "wb") as out:
        out.write(os.urandom(RESERVE_BYTES))


def release_reserve(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def write_durably(path: str, text: str) -> None:
    """Readers see the old content or all of the new one, also after a power cut."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.rename(temporary, path)
    except OSError:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise


def remove_tree(path: str) -> None:
    """Removes a folder; opens up what was closed with chmod; a missing folder is fine."""

    def open_up(_function: Any, entry: str, _info: Any) -> None:
        try:
            parent = os.path.dirname(entry)
            os.chmod(parent, stat.S_IRWXU)
            if os.path.isdir(entry) and not os.path.islink(entry):
                os.chmod(entry, stat.S_IRWXU)
                shutil.rmtree(entry, ignore_errors=True)
            else:
                os.unlink(entry)
        except OSError:
            pass

    if not os.path.lexists(path):
        return
    try:
        shutil.rmtree(path, onerror=open_up)
    except (OSError, RecursionError):
        pass
    if os.path.lexists(path):
        # Nested deeper than Python's recursion or the longest path; these tools walk by descriptors.
        for command in (["chmod", "-R", "u+rwX", path], ["rm", "-rf", "--", path]):
            subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def remove_owned(folders: Tuple[str, ...], uid: int) -> None:
    """Removes what a user of ours left in folders that everybody may write to. Not below: those are others' folders."""
    for folder in folders:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            try:
                if entry.stat(follow_symlinks=False).st_uid != uid:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    remove_tree(entry.path)
                else:
                    os.unlink(entry.path)
            except OSError:
                continue
