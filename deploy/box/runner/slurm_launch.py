"""Jobs on a cluster: the agent runs on a login node, each job's supervisor on the compute node that Slurm gives it.

    start    folder with ticket (slurm_folder.py) -> sbatch, whose script is `<runner> supervise <job key>` (slurm_node.py)
    follow   events.jsonl over the shared folder, the queue meanwhile (slurm_follow.py)
    cancel   ticket withdrawn, mark set, scancel, until the queue holds nothing of the job any more

A job is found in the queue by its name, which this folder, instance and job key make unique: so one whose number was
lost with an answer of sbatch is found as well. Slurm that does not answer is waited for; nothing is concluded from it.
"""
from __future__ import annotations

import hashlib
import math
import os
import time
from typing import Any, Callable, Dict, List, Optional, Union

import disk
import incoming
import slurm_commands
import slurm_folder
from end_job import write_cancelled
from job_folder import read_result, remove_job_folder, remove_leftover_folders
from paths import BoxPaths, JobPaths
from protocol import BoxFailure, JobSpec, parse_job, parse_seed
from sandbox_wish import ContainerSpec
from slurm_batch import SlurmOptions, batch_arguments, batch_script
from slurm_commands import QueueEntry, SlurmAway, SlurmRefused
from slurm_follow import Watch, follow_slurm_job
from slurm_probe import probe_cluster
from slurm_queue import SlurmQueue
from traces import read_piece
from wire_fields import RequestError

_FORGET_S = 20.0
#: A supervisor ends its processes within milliseconds; after that Slurm ends all of them.
_SUPERVISOR_S = 5.0
#: Beyond the time limits of the stages: the trial of the sandbox, and cleaning up.
_ROOM_S = 180.0


class SlurmLaunch:
    def __init__(self, box: BoxPaths, options: SlurmOptions, runner: str) -> None:
        self.box = box
        self.options = options
        self.queue = SlurmQueue(options.poll_s)
        self.runner = runner
        folder = hashlib.sha256(os.path.realpath(box.jobs).encode()).hexdigest()[:8]
        self._prefix = f"hotlap.{folder}.{box.instance}."

    def name(self, job_key: str) -> str:
        return self._prefix + job_key

    def start(self, job_value: Any, seed_value: Any) -> bool:
        """True when the job was there already. Raises RequestError, BoxFailure."""
        job = parse_job(job_value)
        paths = self.box.job(job.job_key)
        try:
            is_new = slurm_folder.make_slurm_folder(self.box, job.job_key, job_value, parse_seed(seed_value))
            self._submit(paths, job, is_new)
        except FileNotFoundError as error:
            raise RequestError("unknown-job", "the job's folder was removed while it was started") from error
        except OSError as error:
            kind = "disk-full" if disk.is_full(error) else "runner-crashed"
            raise RequestError(kind, f"the job folder cannot be made: {error}") from error
        return not is_new

    def _submit(self, paths: JobPaths, job: JobSpec, is_new: bool) -> None:
        """Nothing is done for a job that was submitted, ran or was cancelled. Raises RequestError."""
        deadline = time.monotonic() + self.options.patience_s
        with slurm_folder.submission_lock(paths, self.options.patience_s) as lock:
            if lock is None:
                raise RequestError("cluster-away", "an earlier sbatch of this job has not ended yet")
            may_stand_there = not is_new
            while slurm_folder.read_submission(paths) is None and os.path.exists(paths.ticket):
                try:
                    known = self._alive(job.job_key, deadline) if may_stand_there else []
                    if known:
                        slurm_folder.write_submission(paths, known[0].job_id)
                        return
                    job_id = self._sbatch(paths, job, lock)
                    slurm_folder.write_submission(paths, job_id)
                    return
                except SlurmRefused as error:
                    remove_job_folder(self.box, paths)
                    raise RequestError("cluster-refused", str(error)) from error
                except SlurmAway as error:
                    may_stand_there = True
                    if time.monotonic() > deadline:
                        raise RequestError("cluster-away", str(error)) from error
                    time.sleep(0.5)

    def _sbatch(self, paths: JobPaths, job: JobSpec, lock: int) -> int:
        prepare_s = sum(step.timeout_s for step in (job.warmup, job.build) if step is not None)
        # A profile may be tried twice, with the machine's profiler and without.
        stages_s = sum(stage.timeout_s * (2 if stage.mode == "profile" else 1) for stage in job.stages)
        limit_s = stages_s + prepare_s + _ROOM_S
        arguments = batch_arguments(self.options, self.name(job.job_key), limit_s, paths.log, job.world_size or 1)
        gpus = [] if self.options.asks_for_gpus else ["--no-gpus"]
        script = batch_script(self.runner, self.box, "supervise", *gpus, job.job_key)
        return slurm_commands.submit(arguments, script, lock)

    def put(self, job_key: str, offset: Any, data: Any) -> int:
        return incoming.put(self.box, job_key, offset, data)

    def follow(self, job_key: str, start: int, on_event: Callable[[Dict[str, Any]], None]) -> Any:
        """As follow.py's, and `waiting` events until the job runs."""
        return follow_slurm_job(self.box.job(job_key), self.watch(job_key), start, on_event, lambda: self.end_lost(job_key))

    def watch(self, job_key: str) -> Watch:
        return Watch(self.queue, self.box.job(job_key), self.name(job_key), self.options.settle_s)

    def cancel(self, job_key: str) -> bool:
        """True when the job was alive. When this returns its processes are dead and a result is in place."""
        paths = self.box.job(job_key)
        slurm_folder.refresh(paths.folder)
        if not os.path.isdir(paths.folder):
            return self.end_lost(job_key)
        if os.path.exists(paths.result):
            return False
        slurm_folder.mark_cancelled(paths)
        never_ran = slurm_folder.withdraw_ticket(paths)
        try:
            was_alive = self._end(job_key)
        except SlurmAway as error:
            if not never_ran:
                raise BoxFailure("cluster-away", f"the job cannot be ended: {error}") from error
            was_alive = True
        if not never_ran:
            self._await_result(job_key)
        if read_result(paths) is None:
            write_cancelled(paths, job_key)
        return was_alive or never_ran

    def end_lost(self, job_key: str) -> bool:
        """Ends a job whose folder is gone; true when there was one. Raises BoxFailure."""
        try:
            return self._end(job_key)
        except SlurmAway as error:
            raise BoxFailure("cluster-away", f"the job's folder is gone, and Slurm does not say of it: {error}") from error

    def _end(self, job_key: str) -> bool:
        """Until nothing of it is in the queue; true when something was. Raises SlurmAway, BoxFailure."""
        started = time.monotonic()
        deadline = started + self.options.patience_s
        found = False
        while True:
            alive = self._alive(job_key, deadline)
            if not alive:
                return found
            if time.monotonic() > deadline:
                raise BoxFailure("cluster-away", f"Slurm has not ended its job {alive[0].job_id} yet ({alive[0].state})")
            self._ask_to_end(alive, is_first=not found, is_late=time.monotonic() - started > _SUPERVISOR_S)
            found = True
            time.sleep(0.2)

    def _alive(self, job_key: str, deadline: float) -> List[QueueEntry]:
        """Raises SlurmAway."""
        return self.queue.look(max(deadline - time.monotonic(), 1.0)).alive(self.name(job_key))

    def _ask_to_end(self, entries: List[QueueEntry], is_first: bool, is_late: bool) -> None:
        """Those that run get some time to end by themselves. Raises SlurmAway."""
        polite = [entry.job_id for entry in entries if entry.state == "RUNNING"] if not is_late else []
        others = [entry.job_id for entry in entries if entry.state != "COMPLETING" and entry.job_id not in polite]
        try:
            if polite and is_first:
                slurm_commands.ask_to_end(polite)
            if others:
                slurm_commands.cancel(others)
        except SlurmRefused:
            pass  # Over by now, or not begun as we thought: the next look at the queue tells.

    def _await_result(self, job_key: str) -> None:
        """Its supervisor may have written one that this node does not see yet."""
        paths = self.box.job(job_key)
        deadline = time.monotonic() + self.options.settle_s
        while read_result(paths) is None and time.monotonic() < deadline:
            time.sleep(0.05)
            slurm_folder.refresh(paths.folder)

    def state(self, job_key: str) -> str:
        paths = self.box.job(job_key)
        slurm_folder.refresh(paths.folder)
        if not os.path.isdir(paths.folder):
            snapshot = self.queue.latest()
            return "running" if snapshot is not None and snapshot.alive(self.name(job_key)) else "unknown"
        if os.path.exists(paths.result):
            return "finished"
        watch = self.watch(job_key)
        deadline = time.monotonic() + _FORGET_S
        # Said to be dead, it may be removed: so only what is known for sure.
        while time.monotonic() < deadline:
            if watch.is_alive():
                return "running"
            if os.path.exists(paths.result):
                return "finished"
            if watch.is_lost():
                return "dead"
            time.sleep(0.1)
        return "running"

    def read_trace(self, job_key: str, stage: str, start: int) -> Optional[bytes]:
        return read_piece(self.box.job(job_key), stage, start)

    def forget(self, job_key: str) -> bool:
        if self.state(job_key) in ("unknown", "running"):
            return False
        paths = self.box.job(job_key)
        deadline = time.monotonic() + _FORGET_S
        try:
            # Its supervisor outlives its result by the time that it takes to tidy up.
            while self._alive(job_key, deadline):
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.2)
        except SlurmAway:
            return False
        return remove_job_folder(self.box, paths)

    def sweep(self, keep: List[str], older_than_s: float = 0) -> List[str]:
        """As end_job.py's. Raises BoxFailure when Slurm does not answer."""
        try:
            queued = self.queue.look(self.options.patience_s).entries
        except SlurmAway as error:
            raise BoxFailure("cluster-away", str(error)) from error
        mine = [entry for entry in queued if entry.name.startswith(self._prefix) and not entry.is_over]
        keys = {*self.box.list_job_keys(), *(entry.name[len(self._prefix) :] for entry in mine)}
        # One that begins with a dot is no job but a look at the cluster.
        doomed = sorted(key for key in keys if key not in keep and key[0] != "." and self._age_s(key) >= older_than_s)
        for key in doomed:
            slurm_folder.mark_cancelled(self.box.job(key))
        # All at once: one after the other would take its seconds for each.
        self._ask_to_end([entry for entry in mine if entry.name[len(self._prefix) :] in doomed], True, False)
        removed: List[str] = []
        for key in doomed:
            was_lost = not os.path.isdir(self.box.job(key).folder)
            ended = self.cancel(key)
            if self.forget(key) or (was_lost and ended):
                removed.append(key)
        remove_leftover_folders(self.box)
        return removed

    def probe(self, sandbox: Union[str, ContainerSpec]) -> Dict[str, Any]:
        return probe_cluster(self, sandbox)

    def health(self) -> List[Dict[str, object]]:
        """Whose GPUs are idle is the cluster's business."""
        return []

    def _age_s(self, job_key: str) -> float:
        try:
            return time.time() - os.stat(self.box.job(job_key).job).st_mtime
        except FileNotFoundError:
            return math.inf
