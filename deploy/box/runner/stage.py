"""One stage of a job: the evaluation program in a room of its own; before the first stage a build or a warm-up in another.

The warm-up runs the participant's file before anything is judged. It gets the problem's modules, which submissions
import, but neither the evaluation program nor cases, seed or result pipe, and passes on nothing but its caches. Since
every later room gets a copy of these, one is enough.
"""
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Optional, Tuple

from build import run_build
from contained_process import Command
from events import EventLog, utc_now
from job_site import JobSite
from protocol import BoxFailure, ProcessReport, StageReport, StageSpec, WarmupSpec
from result_pipe import Progress, ResultLines

PASSING_EXIT_CODES = (0, 112)


@dataclass
class StageRunner:
    """The seed lives here and in the pipe to the launcher, and nowhere else."""

    site: JobSite
    seed: Optional[int]
    events: EventLog

    def run(self, index: int, stage: StageSpec) -> StageReport:
        """Raises BoxFailure and OSError: what goes wrong with the submission is in the report."""
        report = StageReport(name=stage.name, mode=stage.mode, timeout_s=stage.timeout_s, started_at=utc_now())
        if (index > 0 or self._prepare(stage, report)) and not self.site.wakeups.cancelled:
            self.events.write("stage", stage=stage.name, state="running")
            self._evaluate(f"stage-{index}", stage, report)
        report.finished_at = utc_now()
        if not self.site.wakeups.cancelled:
            self.events.write("stage", stage=stage.name, state="finished", passed=has_passed(report))
        return report

    def _prepare(self, stage: StageSpec, report: StageReport) -> bool:
        """False where there is nothing to evaluate."""
        job = self.site.job
        if job.build is not None:
            self.events.write("stage", stage=stage.name, state="building")
            report.build = run_build(self.site, job.build)
            return report.build.exit_code == 0
        if job.warmup is not None:
            self.events.write("stage", stage=stage.name, state="warmup")
            report.warmup = self._warm_up(job.warmup)
        return True

    def _warm_up(self, warmup: WarmupSpec) -> ProcessReport:
        job = self.site.job
        files = {path: text for path, text in job.files.items() if path != job.main or path == warmup.file}
        room = self.site.make_room("warmup", files)
        sink = os.open(os.devnull, os.O_WRONLY)
        env = self.site.environment(room)
        # Warm-ups of existing submissions read both; neither means anything here.
        env.update(POPCORN_FD=str(sink), POPCORN_SEED="1")
        argv = [self.site.policy.python, os.path.join(room.work, warmup.file)]
        report = ProcessReport()
        self.site.prepare(room, argv, env, [sink], warmup.timeout_s).copy_to(report)
        return report

    def _evaluate(self, name: str, stage: StageSpec, report: StageReport) -> None:
        site, job = self.site, self.site.job
        results = ResultLines()
        progress = Progress(stage.cases.count("\n"))
        control = _Control()

        def on_result(data: bytes) -> None:
            for key, value in results.feed(data):
                if progress.feed(key, value):
                    self.events.write("progress", stage=stage.name, done=progress.done, of=progress.of)

        sources = job.build.sources if job.build is not None else []
        files = {path: text for path, text in job.files.items() if path not in sources}
        room = site.make_room(name, files, stage.cases)
        result_fd, popcorn_fd = os.pipe()
        control_fd, control_write = os.pipe()
        launch_read, launch_write = os.pipe()
        try:
            seed = "" if self.seed is None else str(self.seed)
            os.write(launch_write, f"{control_write}\n{seed}\n".encode())
            os.close(launch_write)
            env = site.environment(room)
            env.update(POPCORN_FD=str(popcorn_fd), HOTLAP_LAUNCH_FD=str(launch_read))
            if job.world_size is not None:
                # As many as there are, which may be more than a case wants.
                env["POPCORN_GPUS"] = str(len(site.visible) or job.world_size)
            launcher = os.path.join(room.own, "launcher.py" if job.build is None else "launch_program.py")
            ended = site.run(
                room,
                Command(
                    argv=[site.policy.python, launcher, job.main, stage.mode, room.cases, room.cache],
                    env=env,
                    timeout_s=stage.timeout_s,
                    pass_fds=[popcorn_fd, control_write, launch_read, *site.hand_in_cache(env)],
                    readers={result_fd: on_result, control_fd: control.feed},
                    stop_if=lambda: results.overflow or control.has_worker_died,
                    on_processes=site.on_processes,
                ),
            )
            report.exceeded = room.read_exceeded()
        finally:
            os.close(result_fd)
            os.close(control_fd)
            room.leave()
        results.end(ended.by_itself)
        ended.copy_to(report)
        report.lines = results.lines
        report.malformed_lines = results.malformed
        report.overflow = results.overflow
        if control.has_worker_died:
            report.worker_died = True
            report.exit_code, report.signal = control.worker_end()
        if not control.is_ready and ended.by_itself and not site.wakeups.is_cancelled_after_all():
            # The launcher's first act was never reached, so no code of the participant's ran.
            raise BoxFailure("sandbox-failed", f"the evaluation could not be started: {ended.stderr[-500:].strip()}")


class _Control:
    """What the launcher says: `ready`, `worker-died <exit code>`, `reply-refused 1`."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        self._data = (self._data + data)[:4096]

    @property
    def is_ready(self) -> bool:
        return self._data.startswith(b"ready\n")

    @property
    def has_worker_died(self) -> bool:
        return b"\nworker-died " in self._data

    def worker_end(self) -> Tuple[Optional[int], Optional[int]]:
        """The dead worker's (exit code, signal): they say more than those of the process that noticed."""
        text = self._data.split(b"\nworker-died ", 1)[1].split(b"\n")[0]
        try:
            code = int(text)
        except ValueError:
            return 1, None
        return (None, -code) if code < 0 else (code, None)


def has_passed(report: StageReport) -> bool:
    check = next((value for key, value in reversed(report.lines) if key == "check"), None)
    spoiled = report.timed_out or report.worker_died or report.overflow
    return report.exit_code in PASSING_EXIT_CODES and check == "pass" and not spoiled
