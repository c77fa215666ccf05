"""events.jsonl: numbered lines, append only, each written with one call so that a reader never sees a mixed line."""
from __future__ import annotations

import datetime
import json
import os
from typing import Any, Dict, List

from disk import is_full
from protocol import to_json


def utc_now() -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"


class EventLog:
    """The writing end; one per job, held by whoever holds the job's lock."""

    def __init__(self, path: str, synced: bool = False) -> None:
        """`synced`: for readers on other machines, who would else see a line when this one finds the time to send it."""
        self._n = sum(1 for _ in EventReader(path).read())
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | (os.O_SYNC if synced else 0)
        self._fd = os.open(path, flags, 0o600)
        self._torn = False

    def write(self, kind: str, **fields: Any) -> None:
        line = (to_json({"n": self._n, "at": utc_now(), "type": kind, **fields}) + "\n").encode()
        if self._torn:
            line = b"\n" + line
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            # An event is news, not the result: a full disk shows in the result.
            if not is_full(error):
                raise
            return
        self._torn = written < len(line)
        if not self._torn:
            self._n += 1

    def close(self) -> None:
        os.close(self._fd)


class EventReader:
    """The reading end: each call returns the whole lines that came since the last one."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> List[Dict[str, Any]]:
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        end = data.rfind(b"\n") + 1
        self._offset += end
        found: List[Dict[str, Any]] = []
        for line in data[:end].splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # A line torn by a full disk.
            if isinstance(event, dict) and "n" in event:
                found.append(event)
        return found
