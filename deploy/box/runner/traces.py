"""What profile mode recorded: one file per stage in the job's folder, fetched by Hotlap piece by piece.

The bytes were packed inside the room, under the job's user, and are not looked into here.
"""
from __future__ import annotations

import hashlib
import os
from typing import Optional

from paths import JobPaths
from protocol import TraceReport

MOST_BYTES = 24 * 1024 * 1024
#: How a zip archive without a comment begins its last 22 bytes.
_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
#: Of all stages of a job together.
MOST_BYTES_OF_JOB = 64 * 1024 * 1024
PIECE_BYTES = 1024 * 1024


class TraceStore:
    def __init__(self, paths: JobPaths) -> None:
        self._paths = paths
        self._left = MOST_BYTES_OF_JOB

    def receive(self, stage: str) -> "Receiver":
        os.makedirs(self._paths.traces, mode=0o700, exist_ok=True)
        return Receiver(self._paths.trace(stage), self.most_bytes)

    @property
    def most_bytes(self) -> int:
        return min(MOST_BYTES, self._left)

    def count(self, report: TraceReport) -> None:
        self._left -= report.bytes


class Receiver:
    def __init__(self, path: str, most_bytes: int) -> None:
        self._path = path
        self._left = most_bytes
        self._size = 0
        self._end = b""
        self._hash = hashlib.sha256()
        self._out: Optional[int] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def feed(self, data: bytes) -> None:
        if self._out is None:
            return
        self._left -= len(data)
        try:
            if self._left < 0:
                raise OSError("too large")
            view = memoryview(data)
            while view:
                view = view[os.write(self._out, view) :]
        except OSError:
            # A full disk too: the results matter more.
            self._drop()
            return
        self._size += len(data)
        self._end = (self._end + data)[-_ZIP_END_BYTES:]
        self._hash.update(data)

    def end(self) -> Optional[TraceReport]:
        """None where there is nothing, or not all of it."""
        if self._out is None or not self._end.startswith(_ZIP_END):
            self._drop()
            return None
        os.close(self._out)
        self._out = None
        return TraceReport(self._size, self._hash.hexdigest())

    def _drop(self) -> None:
        if self._out is None:
            return
        os.close(self._out)
        self._out = None
        os.unlink(self._path)


def read_piece(paths: JobPaths, stage: str, start: int) -> Optional[bytes]:
    """Up to PIECE_BYTES from `start` on; None when there is no such recording."""
    try:
        with open(paths.trace(stage), "rb") as file:
            file.seek(start)
            return file.read(PIECE_BYTES)
    except FileNotFoundError:
        return None
