"""Bytes that a job is about and that are no text, on their way from Hotlap into the job: an archive.

They come before the job does, in pieces (`put`), into a file named by the job's key. The job's supervisor opens the
file, checks it against the hash in the job, and unlinks it: from then on it lives in that process alone.
"""
from __future__ import annotations

import base64
import binascii
import hashlib
import os
import time
from typing import Any

import disk
from paths import BoxPaths
from protocol import BoxFailure, RequestError
from serving_spec import ArchiveSpec

MOST_BYTES = 64 * 1024 * 1024
#: A job that has not come for its bytes by then never will.
_LEFTOVER_S = 3600.0
_CHUNK = 1 << 20


def put(box: BoxPaths, job_key: str, offset: Any, data: Any) -> int:
    """Appends a piece; the first one, at offset 0, begins anew. Returns the file's size. Raises RequestError."""
    if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset <= MOST_BYTES:
        raise RequestError("bad-request", "offset: a whole number of bytes was expected")
    try:
        piece = base64.b64decode(data, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise RequestError("bad-request", "data: base64 was expected") from None
    if offset + len(piece) > MOST_BYTES:
        raise RequestError("bad-request", f"data: more than {MOST_BYTES} bytes")
    try:
        box.make()
        os.makedirs(box.incoming, mode=0o700, exist_ok=True)
        disk.require_space(box.incoming, len(piece))
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if offset == 0 else 0)
        fd = os.open(os.path.join(box.incoming, job_key), flags, 0o600)
        with os.fdopen(fd, "wb") as out:
            if os.fstat(fd).st_size != offset:
                raise RequestError("bad-request", f"offset: {os.fstat(fd).st_size} was expected")
            out.seek(offset)
            out.write(piece)
    except OSError as error:
        kind = "disk-full" if disk.is_full(error) else "runner-crashed"
        raise RequestError(kind, f"the archive cannot be kept: {error}") from error
    return offset + len(piece)


def take(box: BoxPaths, job_key: str, wanted: ArchiveSpec) -> int:
    """A descriptor of the whole archive, at its beginning. Raises BoxFailure."""
    path = os.path.join(box.incoming, job_key)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.unlink(path)
    except FileNotFoundError:
        raise BoxFailure("runner-crashed", "the archive of the job has not arrived") from None
    found = hashlib.sha256()
    while True:
        data = os.read(fd, _CHUNK)
        if not data:
            break
        found.update(data)
    if found.hexdigest() != wanted.sha256 or os.fstat(fd).st_size != wanted.bytes:
        os.close(fd)
        raise BoxFailure("runner-crashed", "the archive of the job arrived damaged")
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def forget(box: BoxPaths, job_key: str) -> None:
    try:
        os.unlink(os.path.join(box.incoming, job_key))
    except FileNotFoundError:
        pass


def remove_leftovers(box: BoxPaths) -> None:
    """Of jobs that were never started."""
    try:
        entries = list(os.scandir(box.incoming))
    except FileNotFoundError:
        return
    for entry in entries:
        if os.path.isdir(box.job(entry.name).folder):
            continue  # It waits for its turn on a cluster.
        try:
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > _LEFTOVER_S:
                os.unlink(entry.path)
        except FileNotFoundError:
            continue
