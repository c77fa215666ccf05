"""What passes from a warm-up to the later rooms of its job: the compile caches, as bytes that nobody looks into here.

Every warm-up and every evaluation gets a fresh copy. Only a warm-up's is kept afterwards, so that nothing that an
evaluation learned reaches the next one. Cut off or too large, it is not kept at all: a cache may always be cold.
"""
from __future__ import annotations

import os
from typing import Optional

from cache_pack import LAST
from bubblewrap_room import CACHE_BYTES

#: Names and times come on top of the files.
MOST_BYTES = CACHE_BYTES + 16 * 1024 * 1024


class CarriedCache:
    def __init__(self, scratch: str) -> None:
        self._path = os.path.join(scratch, "cache")
        self._new = self._path + ".new"

    def open(self) -> Optional[int]:
        """A descriptor at its beginning; None while there is nothing to carry."""
        try:
            return os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None

    def receive(self) -> "Receiver":
        return Receiver(self._new, self._path)


class Receiver:
    def __init__(self, new: str, path: str) -> None:
        self._new = new
        self._path = path
        self._left = MOST_BYTES
        self._end = b""
        self._out: Optional[int] = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

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
            # A full disk too: the job can do without.
            self._drop()
            return
        self._end = (self._end + data)[-len(LAST) :]

    def end(self) -> None:
        if self._out is None:
            return
        # An empty cache is the usual one, and costs every later room the unpacking of nothing.
        if self._end != LAST or MOST_BYTES - self._left == len(LAST):
            self._drop()
            return
        os.close(self._out)
        self._out = None
        os.rename(self._new, self._path)

    def _drop(self) -> None:
        assert self._out is not None
        os.close(self._out)
        self._out = None
        os.unlink(self._new)
