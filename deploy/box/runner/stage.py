"""One stage of a job: the evaluation program in a room of its own; before the first stage a build or a warm-up in another.

The warm-up runs the participant's file before anything is judged. It gets the problem's modules, which submissions
import, but neither the evaluation program nor cases, seed or result pipe, and passes on nothing but its caches. Since
every later room gets a copy of these, one is enough.

In profile mode the evaluation runs under the machine's profiler. Should that fail, or record nothing, the stage is run
once more without it: a profiler that may not read the GPU's counters is nobody's fault who submitted something.
"""
from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from typing import Optional

from build import run_build
from evaluation import evaluate
from events import EventLog, utc_now
from job_site import JobSite
from profiler import find_profiler
from protocol import ProcessReport, ProfileReport, StageReport, StageSpec, WarmupSpec
from recording import Recording
from traces import TraceStore

PASSING_EXIT_CODES = (0, 112)


@dataclass
class StageRunner:
    """The seed lives here and in the pipe to the launcher, and nowhere else."""

    site: JobSite
    seed: Optional[int]
    events: EventLog
    traces: TraceStore

    def run(self, index: int, stage: StageSpec) -> StageReport:
        """Raises BoxFailure and OSError: what goes wrong with the submission is in the report."""
        report = StageReport(name=stage.name, mode=stage.mode, timeout_s=stage.timeout_s, started_at=utc_now())
        if (index > 0 or self._prepare(stage, report)) and not self.site.wakeups.cancelled:
            self.events.write("stage", stage=stage.name, state="running")
            if stage.mode == "profile":
                report = self._profile(f"stage-{index}", stage, report)
            else:
                evaluate(self.site, f"stage-{index}", stage, self.seed, self.events, report)
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

    def _profile(self, name: str, stage: StageSpec, blank: StageReport) -> StageReport:
        problem = None
        profiler = find_profiler(self.site.visible, self.site.policy.find_tool)
        if profiler is not None:
            report = copy.deepcopy(blank)
            recording = Recording(self.traces.receive(stage.name), self.traces.most_bytes, profiler)
            evaluate(self.site, name, stage, self.seed, self.events, report, recording)
            if self.site.wakeups.cancelled or (has_passed(report) and recording.trace is not None):
                return self._recorded(report, ProfileReport(profiler.name, None, recording.trace))
            problem = recording.find_problem(report)
        recording = Recording(self.traces.receive(stage.name), self.traces.most_bytes, None)
        evaluate(self.site, name + "-plain", stage, self.seed, self.events, blank, recording)
        return self._recorded(blank, ProfileReport("", problem, recording.trace))

    def _recorded(self, report: StageReport, profile: ProfileReport) -> StageReport:
        report.profile = profile
        if profile.trace is not None:
            self.traces.count(profile.trace)
        return report


def has_passed(report: StageReport) -> bool:
    check = next((value for key, value in reversed(report.lines) if key == "check"), None)
    spoiled = report.timed_out or report.worker_died or report.overflow
    return report.exit_code in PASSING_EXIT_CODES and check == "pass" and not spoiled
