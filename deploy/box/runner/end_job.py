"""Ending a job from outside its supervisor: `cancel`, `sweep`, `forget`, and cleaning up after a dead supervisor.

A living supervisor gets SIGTERM and does the work itself; it writes the result only after everything is dead. One that
does not react is killed. After a dead one the processes recorded in processes.json are killed by us. Success is
only ever reported when they are known dead: the caller gives the lane to the next job on the strength of it.

A job whose folder was removed under it is found by its supervisor's second name (supervisor_name.py).
"""
from __future__ import annotations

import json
import os
import signal
import time
from typing import Any, Dict, List

import cgroup
import container_room
import disk
import process_tree
from events import EventLog
from job_folder import (
    is_supervised,
    read_state,
    read_supervisor_pid,
    remove_job_folder,
    remove_leftover_folders,
    wait_until_unsupervised,
)
from paths import BoxPaths, JobPaths
from protocol import BoxFailure, JobResult, SystemInfo, to_json
from supervisor_name import find_by_name, list_named_keys

_PATIENCE_S = 10.0
#: A supervisor ends its processes within milliseconds; one that is stuck must not hold up the lane.
_SUPERVISOR_PATIENCE_S = 3.0


def job_marker(paths: JobPaths) -> str:
    """An environment entry that names the job's processes, for the case that nothing else does."""
    folder = os.stat(paths.folder)
    return f"{process_tree.MARK}={folder.st_dev}.{folder.st_ino}"


def cancel_job(box: BoxPaths, job_key: str) -> bool:
    """True when the job was alive. When this returns its processes are dead and a result is in place."""
    paths = box.job(job_key)
    if not os.path.isdir(paths.folder):
        return end_lost_job(paths)
    supervised = is_supervised(paths)
    if supervised:
        _stop_supervisor(paths)
    left_over = end_left_over_processes(paths)
    if not os.path.exists(paths.result):
        write_cancelled(paths, job_key)
    return supervised or left_over


def forget_job(box: BoxPaths, job_key: str) -> bool:
    paths = box.job(job_key)
    state = read_state(paths)
    if state in ("unknown", "running"):
        return False
    # The supervisor outlives its result by the time it takes to remove the scratch folder.
    if not wait_until_unsupervised(paths, _PATIENCE_S):
        return False
    end_left_over_processes(paths)
    return remove_job_folder(box, paths)


def sweep_jobs(box: BoxPaths, keep: List[str], older_than_s: float = 0) -> List[str]:
    """`older_than_s`: a job younger than that may have been started since `keep` was written down."""
    removed: List[str] = []
    for job_key in sorted({*box.list_job_keys(), *list_named_keys(box.jobs)}):
        if job_key in keep or _age_s(box, job_key) < older_than_s:
            continue
        lost = not os.path.isdir(box.job(job_key).folder)
        ended = cancel_job(box, job_key)
        if forget_job(box, job_key) or (lost and ended):
            removed.append(job_key)
    remove_leftover_folders(box)
    return removed


def _age_s(box: BoxPaths, job_key: str) -> float:
    try:
        return time.time() - os.stat(box.job(job_key).job).st_mtime
    except FileNotFoundError:
        return float("inf")


def end_left_over_processes(paths: JobPaths) -> bool:
    """Kills what a dead supervisor left running; true when something was. Call only without a supervisor."""
    found = False
    deadline = time.monotonic() + _PATIENCE_S
    pause_s = 0.001
    while _kill_left_over(paths):
        found = True
        if time.monotonic() > deadline:
            raise BoxFailure("runner-crashed", "processes of the job are still there after being killed")
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.05)
    cgroup.remove_folders(_read_record(paths).get("groups", []))
    container_room.remove_left_over(paths.scratch)
    return found


def end_lost_job(paths: JobPaths) -> bool:
    """Ends a job that runs although its folder is gone; true when there was one, and then nothing of it is left.

    Raises BoxFailure(protocol-error), which nobody takes for the job's end, when it could not be ended.
    """
    pid = find_by_name(paths)
    if pid is None:
        return False
    supervisor = process_tree.find_process(pid)
    if supervisor is None:
        if find_by_name(paths) is None:
            return True
        raise BoxFailure("protocol-error", "the job's folder is gone, and its supervisor cannot be told")
    _signal(pid, signal.SIGTERM)
    started = time.monotonic()
    pause_s = 0.001
    while process_tree.is_alive(pid, supervisor.born):
        waited_s = time.monotonic() - started
        if waited_s > _PATIENCE_S:
            raise BoxFailure("protocol-error", "the job's folder is gone, and its supervisor could not be ended")
        # The processes first: while their supervisor lives, whatever they start is still below it and is found.
        if waited_s > _SUPERVISOR_PATIENCE_S and not process_tree.kill_descendants(pid):
            _signal(pid, signal.SIGKILL)
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.05)
    container_room.remove_left_over(paths.scratch)
    disk.remove_tree(paths.scratch)
    return True


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _stop_supervisor(paths: JobPaths) -> None:
    deadline = time.monotonic() + _SUPERVISOR_PATIENCE_S
    pause_s = 0.001
    signalled = False
    while not os.path.exists(paths.result):
        pid = read_supervisor_pid(paths)
        if pid is None:
            return
        late = time.monotonic() > deadline
        if pid > 0 and (late or not signalled):
            try:
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
                signalled = True
            except ProcessLookupError:
                pass
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.02)
    # With the result in place the processes are dead; the supervisor only tidies up.
    wait_until_unsupervised(paths, _PATIENCE_S)


def _kill_left_over(paths: JobPaths) -> bool:
    """One round of kills; true while there was something to kill."""
    record = _read_record(paths)
    alive = False
    for pid, born in record.get("pids", []):
        if process_tree.is_alive(pid, born):
            alive = True
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    for process in process_tree.list_processes().values():
        # A group keeps its number taken while it has members, so this is the group that was recorded,
        # unless its leader was born later than the record.
        if process.pgid == record.get("pgid") and not process.dead and _is_recorded_group(record):
            alive = True
            process_tree.kill_group(process.pgid)
            break
    for process in process_tree.list_marked(job_marker(paths)):
        alive = True
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return alive


def _is_recorded_group(record: Dict[str, Any]) -> bool:
    leader = process_tree.find_process(record["pgid"])
    return leader is None or [leader.pid, leader.born] in record["pids"]


def _read_record(paths: JobPaths) -> Dict[str, Any]:
    try:
        with open(paths.processes, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {}


def write_cancelled(paths: JobPaths, job_key: str) -> None:
    disk.release_reserve(paths.reserve)
    result = JobResult(job_key, "cancelled", None, [], SystemInfo(), "none")
    disk.write_durably(paths.result, to_json(result))
    log = EventLog(paths.events)
    log.write("finished", outcome="cancelled")
    log.close()
