"""The life of one job, in a process of its own: a session of its own, no thread, no tie to the agent.

    lock held (by whoever forked us) -> started -> stages in order -> everything dead -> result.json -> finished
    -> scratch removed -> lock gone with the process

The first stage that does not pass ends the job. SIGTERM cancels it. A fault of the box becomes outcome `box-error`.
"""
from __future__ import annotations

import os
import pkgutil
import signal
import sys
import traceback
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Union

import disk
import incoming
import process_tree
from contained_process import Wakeups
from end_job import job_marker
from events import EventLog
from gpus import Gpu, choose_gpus
from job_site import JobSite
from job_uid import take_job_uid
from paths import BoxPaths, JobPaths, make_scratch
from probe import describe_system, load_facts
from protocol import BoxFailure, JobError, JobResult, JobSpec, StageReport, SystemInfo, to_json
from python_choice import Choice
from serving_stage import ServingStages
from stage import StageRunner, has_passed
from supervisor_name import take_name
from traces import TraceStore


@dataclass(frozen=True)
class Surroundings:
    """What differs where it is not our agent that started this supervisor and alone ends it."""

    synced_events: bool = False
    #: Asked when SIGTERM came: others may send it too, and their wish is no cancellation.
    was_asked_to_end: Callable[[], bool] = lambda: True
    #: See Wakeups.
    doubt_s: float = 0.0
    #: What the driver lists here and now; None: the same for every job since the machine booted.
    gpus: Optional[List[Gpu]] = None


def supervise(
    box: BoxPaths,
    job: JobSpec,
    seed: Optional[int],
    choice: Choice,
    lock_fd: int,
    surroundings: Surroundings = Surroundings(),
) -> None:
    """Runs the job to its result. Expects to be alone in its process, with SIGTERM blocked; returns when all is done."""
    paths = box.job(job.job_key)
    wakeups = Wakeups(surroundings.doubt_s)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.pwrite(lock_fd, f"{os.getpid()}\n".encode(), 0)
    process_tree.adopt_orphans()
    process_tree.close_to_peers()
    # Before the first look at the folder: a job that runs has its name.
    name = take_name(paths)
    result = JobResult(job.job_key, "finished", None, [], SystemInfo(), choice.policy.kind)
    result.limits = choice.policy.limits_kind
    result.syscall_filter = choice.policy.syscall_filter is not None
    events: Optional[EventLog] = None
    try:
        events = EventLog(paths.events, surroundings.synced_events)
        events.write("started", pid=os.getpid(), sandbox=choice.policy.kind)
        if job.sandbox not in ("auto", "off") and choice.policy.kind == "none":
            raise BoxFailure("sandbox-failed", f"this machine offers no sandbox: {choice.problem}")
        if job.serving is not None and choice.policy.is_container:
            raise BoxFailure("sandbox-failed", f"models are served in bubblewrap, and this box is set to {choice.policy.kind}")
        gpus = surroundings.gpus
        if gpus is None:
            result.system, gpus = load_facts(box, choice)
        else:
            result.system = describe_system(choice, gpus)
        leased = None if job.gpus is None else choose_gpus(gpus, job.gpus)
        if leased is not None:
            result.system.gpu = leased[0].model if leased else ""
            result.system.device_count = len(leased)
        site = _make_site(paths, job, choice, leased, gpus if leased is None else leased, wakeups)
        if job.serving is None:
            _run_stages(site, StageRunner(site, seed, events, TraceStore(paths)), result.stages)
        else:
            archive_fd = incoming.take(box, job.job_key, job.serving.archive)
            _serve_model(site, ServingStages(site, seed, events, archive_fd, box.root, _sources_of), result.stages)
        if wakeups.cancelled and surroundings.was_asked_to_end():
            result.outcome = "cancelled"
        elif wakeups.cancelled:
            _fail(result, "runner-crashed", "the job was ended by somebody else: a time limit, an operator, a shutdown")
    except BoxFailure as failure:
        _fail(result, failure.kind, failure.message)
    except OSError as error:
        _fail(result, "disk-full" if disk.is_full(error) else "runner-crashed", str(error))
    except Exception as error:
        traceback.print_exc()
        _fail(result, "runner-crashed", f"{type(error).__name__}: {error}")
    process_tree.end_children(None, lambda _pid, _status: None)
    result = _write_result(paths, result)
    if events is not None:
        events.write("finished", outcome=result.outcome)
    disk.remove_tree(paths.scratch)
    disk.release_reserve(paths.reserve)
    if name is not None:
        name.close()


def _make_site(
    paths: JobPaths, job: JobSpec, choice: Choice, leased: Optional[List[Gpu]], visible: List[Gpu], wakeups: Wakeups
) -> JobSite:
    make_scratch(paths)
    programs = ["warmup", "cache_pack", "launcher" if job.build is None else "launch_program"]
    if any(stage.mode == "profile" for stage in job.stages):
        programs.append("profiled")
    if choice.policy.is_container:
        programs.append("container_init")
    if job.serving is not None:
        programs = []
    return JobSite(
        job=job,
        policy=choice.policy,
        uid=take_job_uid(),
        scratch=paths.scratch,
        marker=job_marker(paths).partition("=")[2],
        programs=_sources_of(programs),
        gpus=leased,
        visible=visible,
        wakeups=wakeups,
        on_processes=lambda pgid, pids, folders: _record_processes(paths, pgid, pids, folders),
    )


def _serve_model(site: JobSite, stages: ServingStages, reports: List[StageReport]) -> None:
    try:
        _run_stages(site, stages, reports)
    finally:
        stages.close()


def _run_stages(site: JobSite, runner: Union[StageRunner, ServingStages], reports: List[StageReport]) -> None:
    for index, stage in enumerate(site.job.stages):
        if site.wakeups.cancelled:
            return
        reports.append(runner.run(index, stage))
        if not has_passed(reports[-1]):
            site.wakeups.is_cancelled_after_all()
            return


def _sources_of(modules: Sequence[str]) -> Dict[str, bytes]:
    """By the names of the files."""
    found = {f"{name}.py": pkgutil.get_data(name, name + ".py") for name in modules}
    return {name: source for name, source in found.items() if source is not None}


def _record_processes(paths: JobPaths, pgid: int, pids: List[int], folders: List[str]) -> None:
    found = [process_tree.find_process(pid) for pid in pids]
    born = [[process.pid, process.born] for process in found if process is not None]
    text = to_json({"pgid": pgid, "pids": born, "groups": folders})
    temporary = paths.processes + ".tmp"
    with open(temporary, "w", encoding="ascii") as out:
        out.write(text)
    os.rename(temporary, paths.processes)


def _fail(result: JobResult, kind: str, message: str) -> None:
    result.outcome = "box-error"
    result.error = JobError(kind, message)


def _write_result(paths: JobPaths, result: JobResult) -> JobResult:
    try:
        disk.write_durably(paths.result, to_json(result))
        return result
    except OSError as error:
        print(f"result.json could not be written: {error}", file=sys.stderr)
        _fail(result, "disk-full" if disk.is_full(error) else "runner-crashed", f"the result is lost: {error}")
        result.stages = []
        disk.remove_tree(paths.scratch)
        disk.release_reserve(paths.reserve)
    try:
        disk.write_durably(paths.result, to_json(result))
    except OSError as error:
        print(f"nor could the report of that: {error}", file=sys.stderr)
    return result
