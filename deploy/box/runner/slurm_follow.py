"""Following a job on a cluster: its events over the folder that the nodes share, and the queue meanwhile.

The job's own files decide. The queue only tells why a job does not run yet, and that one is gone which left no result.
"""
from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, Optional

import disk
import slurm_commands
import slurm_folder
from events import EventReader, utc_now
from job_folder import read_result
from paths import JobPaths
from slurm_commands import QueueEntry
from slurm_queue import SlurmQueue
from wire_fields import RequestError

_SHORTEST_S = 0.05
_LONGEST_S = 0.5
_LOG_CHARACTERS = 600


class Watch:
    """One job in the queue, look for look."""

    def __init__(self, queue: SlurmQueue, paths: JobPaths, name: str, settle_s: float) -> None:
        self._queue = queue
        self._paths = paths
        self._name = name
        self._settle_s = settle_s
        self._seen_at = time.monotonic()
        #: Out of the queue since, for all that we know.
        self._gone_at: Optional[float] = None
        self.entry: Optional[QueueEntry] = None

    def is_alive(self) -> bool:
        """The last look found it. False as well before the first."""
        self._look()
        return self.entry is not None

    def is_gone(self) -> bool:
        self._look()
        return self._gone_at is not None

    def is_lost(self) -> bool:
        """Gone for so long that what it wrote would be seen by now."""
        return self.is_gone() and self._seen_at - (self._gone_at or 0.0) >= self._settle_s

    def _look(self) -> None:
        snapshot = self._queue.latest()
        # A look that began before this watch may have been before the job was submitted.
        if snapshot is None or snapshot.begun <= self._seen_at:
            return
        self._seen_at = snapshot.begun
        self.entry = next(iter(snapshot.alive(self._name)), None)
        if self.entry is not None or slurm_folder.is_being_submitted(self._paths):
            self._gone_at = None
        elif self._gone_at is None:
            self._gone_at = snapshot.begun


def follow_slurm_job(
    paths: JobPaths,
    watch: Watch,
    start: int,
    on_event: Callable[[Dict[str, Any]], None],
    end_lost: Callable[[], bool],
) -> Any:
    """See follow.py. A `waiting` event is told and not stored: its number is that of the first event to come."""
    job_key = os.path.basename(paths.folder)
    reader = EventReader(paths.events)
    pause_s = _SHORTEST_S
    runs = False
    told: Optional[str] = None
    while True:
        if not os.path.isdir(paths.folder):
            if end_lost():
                raise RequestError("unknown-job", f"the folder of {job_key} was removed while it ran; it was ended")
            raise RequestError("unknown-job", f"there is no job {job_key} here")
        lost = watch.is_lost()
        if watch.is_gone():
            slurm_folder.refresh(paths.folder)
        events = reader.read()
        finished = False
        for event in events:
            if event["n"] >= start:
                on_event(event)
            finished = finished or event.get("type") == "finished"
        runs = runs or bool(events)
        if finished or watch.is_gone():
            result = read_result(paths)
            if result is not None:
                return result
            if lost:
                raise describe_loss(paths)
        if not runs and start == 0 and watch.entry is not None and watch.entry.waits and watch.entry.reason != told:
            told = watch.entry.reason
            on_event({"n": 0, "at": utc_now(), "type": "waiting", "reason": told})
        pause_s = _SHORTEST_S if events else min(pause_s * 1.5, _LONGEST_S)
        time.sleep(pause_s)


def describe_loss(paths: JobPaths) -> RequestError:
    """Of a job that is not in the queue any more and left no result."""
    job_id = slurm_folder.read_submission(paths)
    if job_id is None:
        return RequestError("runner-crashed", "the job was never submitted to Slurm")
    if disk.free_bytes(paths.folder) < disk.RESERVE_BYTES:
        return RequestError("disk-full", "the disk is full, not even the result could be written")
    words = f"the job ended without a result; {slurm_commands.describe_job(job_id)}"
    tail = read_tail(paths.log)
    return RequestError("runner-crashed", f"{words}; its log ends with: {tail}" if tail else words)


def read_tail(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return " ".join(file.read()[-_LOG_CHARACTERS:].split())
    except OSError:
        return ""
