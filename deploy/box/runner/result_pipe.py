"""The result pipe (POPCORN_FD): bytes to ordered key-value pairs, with a cap.

One line is `key: value`, split at the first colon, both sides stripped. Blank lines mean nothing; duplicates are all
kept, in order, because what they mean is decided elsewhere. A last line without a newline counts only when the
process ended by itself: of a killed one it may be half a number.
"""
from __future__ import annotations

import re
from typing import List, Optional, Set, Tuple

from protocol import RESULT_PIPE_BYTES

_DONE = re.compile(r"(test|benchmark)\.(\d{1,6})\.(status|mean|report)")


def plain_text(data: bytes) -> str:
    # PostgreSQL stores no NUL in text or jsonb.
    return data.decode("utf-8", "replace").replace("\0", "\ufffd")


class ResultLines:
    def __init__(self, cap_bytes: int = RESULT_PIPE_BYTES) -> None:
        self.lines: List[Tuple[str, str]] = []
        self.malformed = 0
        self.overflow = False
        self._left_bytes = cap_bytes
        self._tail = b""

    def feed(self, data: bytes) -> List[Tuple[str, str]]:
        """Takes bytes; returns the lines that they completed."""
        if len(data) > self._left_bytes:
            data = data[: self._left_bytes]
            self.overflow = True
        self._left_bytes -= len(data)
        *whole, self._tail = (self._tail + data).split(b"\n")
        return [line for line in map(self._take, whole) if line is not None]

    def end(self, ended_by_itself: bool) -> None:
        tail, self._tail = self._tail, b""
        if not tail.strip():
            return
        if ended_by_itself and not self.overflow:
            self._take(tail)
        else:
            self.malformed += 1

    def _take(self, raw: bytes) -> Optional[Tuple[str, str]]:
        text = plain_text(raw)
        if not text.strip():
            return None
        key, colon, value = text.partition(":")
        key = key.strip()
        if not colon or not key:
            self.malformed += 1
            return None
        line = (key, value.strip())
        self.lines.append(line)
        return line

    def last(self, key: str) -> Optional[str]:
        return next((value for name, value in reversed(self.lines) if name == key), None)


class Progress:
    """Counts finished cases as their lines arrive."""

    def __init__(self, case_count: int) -> None:
        # A flood of made-up cases must not become a flood of events.
        self._most = max(64, 2 * case_count)
        self._seen: Set[Tuple[str, str]] = set()
        self.of = 0

    @property
    def done(self) -> int:
        return len(self._seen)

    def feed(self, key: str, value: str) -> bool:
        """True when one more case is done."""
        if key in ("test-count", "benchmark-count"):
            self.of = int(value) if re.fullmatch(r"\d{1,6}", value) else 0
            return False
        match = _DONE.fullmatch(key)
        if match is None or len(self._seen) >= self._most:
            return False
        case = (match.group(1), match.group(2))
        if case in self._seen:
            return False
        self._seen.add(case)
        return True
