"""One run of the evaluation program, in a room of its own: what goes in, what comes out, and when it is ended."""
from __future__ import annotations

import os
from typing import Optional, Tuple

from contained_process import Command
from events import EventLog
from job_site import JobSite
from protocol import BoxFailure, StageReport, StageSpec
from recording import Recording
from result_pipe import Progress, ResultLines


def evaluate(
    site: JobSite,
    name: str,
    stage: StageSpec,
    seed: Optional[int],
    events: EventLog,
    report: StageReport,
    recording: Optional[Recording] = None,
) -> None:
    """Fills `report`. `name` is the room's. `recording`: of profile mode. Raises BoxFailure and OSError."""
    job = site.job
    results = ResultLines()
    progress = Progress(stage.cases.count("\n"))
    control = _Control()

    def on_result(data: bytes) -> None:
        for key, value in results.feed(data):
            if progress.feed(key, value):
                events.write("progress", stage=stage.name, done=progress.done, of=progress.of)

    sources = job.build.sources if job.build is not None else []
    files = {path: text for path, text in job.files.items() if path not in sources}
    room = site.make_room(name, files, stage.cases, recording.folders if recording is not None else ())
    result_fd, popcorn_fd = os.pipe()
    control_fd, control_write = os.pipe()
    launch_read, launch_write = os.pipe()
    try:
        os.write(launch_write, f"{control_write}\n{'' if seed is None else seed}\n".encode())
        os.close(launch_write)
        env = site.environment(room)
        env.update(POPCORN_FD=str(popcorn_fd), HOTLAP_LAUNCH_FD=str(launch_read))
        if job.world_size is not None:
            # As many as there are, which may be more than a case wants.
            env["POPCORN_GPUS"] = str(len(site.visible) or job.world_size)
        launcher = os.path.join(room.own, "launcher.py" if job.build is None else "launch_program.py")
        command = Command(
            argv=[site.policy.python, launcher, job.main, stage.mode, room.cases, room.cache],
            env=env,
            timeout_s=stage.timeout_s,
            pass_fds=[popcorn_fd, control_write, launch_read, *site.hand_in_cache(env)],
            readers={result_fd: on_result, control_fd: control.feed},
            stop_if=lambda: results.overflow or control.has_worker_died,
            on_processes=site.on_processes,
        )
        if recording is not None:
            recording.wrap(command, room, site.policy.python)
        ended = site.run(room, command)
        report.exceeded = room.read_exceeded()
    finally:
        os.close(result_fd)
        os.close(control_fd)
        if recording is not None:
            recording.close()
        room.leave()
    results.end(ended.by_itself)
    ended.copy_to(report)
    report.lines = results.lines if recording is None else recording.add_report(results.lines)
    report.malformed_lines = results.malformed
    report.overflow = results.overflow
    if control.has_worker_died:
        report.worker_died = True
        report.exit_code, report.signal = control.worker_end()
    if not control.is_ready and ended.by_itself and not site.wakeups.is_cancelled_after_all():
        # The launcher's first act was never reached, so no code of the participant's ran.
        if recording is None or recording.profiler is None:
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
