"""The cluster's queue as it was last seen. One squeue serves everybody who waits for something, and only while
somebody does: a controller has better things to do than to answer us for each job.
"""
from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import List, Optional

from slurm_commands import QueueEntry, SlurmAway, list_queue

#: Between two looks, whoever asks.
_LEAST_S = 0.2
_AFTER_FAILURE_S = 1.0


@dataclass(frozen=True)
class Snapshot:
    #: As of time.monotonic(), before squeue was asked.
    begun: float
    entries: List[QueueEntry]

    def alive(self, name: str) -> List[QueueEntry]:
        """More than one where an answer of sbatch was lost; only one of them does anything (slurm_folder.py)."""
        return [entry for entry in self.entries if entry.name == name and not entry.is_over]


class SlurmQueue:
    """May be used from any thread."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._changed = threading.Condition()
        self._snapshot: Optional[Snapshot] = None
        self._problem = ""
        #: When the next look is wanted, and how soon it may be.
        self._wanted = math.inf
        self._possible = 0.0
        self._thread: Optional[threading.Thread] = None

    def latest(self) -> Optional[Snapshot]:
        """Returns at once; who calls it again and again gets one that is about `interval_s` old, or older while Slurm is
        away."""
        with self._changed:
            self._want(0.0 if self._snapshot is None else self._snapshot.begun + self._interval_s)
            return self._snapshot

    def look(self, limit_s: float) -> Snapshot:
        """One that begins now or later. Raises SlurmAway."""
        since = time.monotonic()
        deadline = since + limit_s
        with self._changed:
            while self._snapshot is None or self._snapshot.begun < since:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise SlurmAway(self._problem or f"squeue gave no answer within {limit_s:.0f} s")
                self._want(since)
                self._changed.wait(min(left_s, 1.0))
            return self._snapshot

    def _want(self, moment: float) -> None:
        if moment < self._wanted:
            self._wanted = moment
            self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._look_for_ever, daemon=True)
            self._thread.start()

    def _look_for_ever(self) -> None:
        while True:
            with self._changed:
                while True:
                    left_s = max(self._wanted, self._possible) - time.monotonic()
                    if left_s <= 0:
                        break
                    self._changed.wait(min(left_s, 3600.0))
                self._wanted = math.inf
            begun = time.monotonic()
            try:
                snapshot: Optional[Snapshot] = Snapshot(begun, list_queue())
                problem = ""
            except SlurmAway as error:
                snapshot = None
                problem = str(error)
            with self._changed:
                self._possible = time.monotonic() + (_LEAST_S if snapshot else _AFTER_FAILURE_S)
                self._problem = problem
                if snapshot is not None:
                    self._snapshot = snapshot
                self._changed.notify_all()
