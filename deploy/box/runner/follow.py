"""Streams a job's events: those that exist, then new ones as they come, then the result."""
from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict

import disk
from end_job import end_left_over_processes, end_lost_job
from events import EventReader
from job_folder import is_supervised, read_result
from paths import BoxPaths, JobPaths
from wire_fields import RequestError

_SHORTEST_S = 0.002
_LONGEST_S = 0.025
#: Whether the supervisor lives is asked less often: it costs more than a look at a file's size.
_LIFE_S = 0.1


def follow_job(box: BoxPaths, job_key: str, start: int, on_event: Callable[[Dict[str, Any]], None]) -> Any:
    """Calls `on_event` for each event with n >= start and returns the result.

    Raises RequestError: `unknown-job` when its folder is not there (any more), `runner-crashed` or `disk-full` when the
    supervisor died without a result. Its processes are dead in each of these cases.
    """
    paths = box.job(job_key)
    reader = EventReader(paths.events)
    pause_s = _SHORTEST_S
    next_look = 0.0
    supervised = True
    while True:
        if not os.path.isdir(paths.folder):
            if end_lost_job(paths):
                raise RequestError("unknown-job", f"the folder of {job_key} was removed while it ran; it was ended")
            raise RequestError("unknown-job", f"there is no job {job_key} here")
        now = time.monotonic()
        if now >= next_look:
            supervised = is_supervised(paths)
            next_look = now + _LIFE_S
        finished = False
        events = reader.read()
        for event in events:
            if event["n"] >= start:
                on_event(event)
            finished = finished or event.get("type") == "finished"
        if finished or not supervised:
            result = read_result(paths)
            if result is not None:
                return result
            if not supervised:
                raise _describe_death(paths)
        pause_s = _SHORTEST_S if events else min(pause_s * 1.5, _LONGEST_S)
        time.sleep(pause_s)


def _describe_death(paths: JobPaths) -> RequestError:
    end_left_over_processes(paths)
    if disk.free_bytes(paths.folder) < disk.RESERVE_BYTES:
        return RequestError("disk-full", "the disk is full, not even the result could be written")
    return RequestError("runner-crashed", "the supervisor ended without a result")
