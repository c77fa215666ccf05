"""One stage of a job: the warm-up in a room of its own, then the evaluation program in another.

The warm-up runs the participant's file before anything is judged. It gets the problem's modules, which submissions
import, but neither the evaluation program nor cases, seed or result pipe, and passes on nothing but its caches.
"""
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Tuple

from carried_cache import MOST_BYTES, CarriedCache
from contained_process import Command, Ended, Wakeups, run_contained
from events import EventLog, utc_now
from gpus import Gpu, visible_environment
from limits import Limits
from protocol import BoxFailure, JobSpec, ProcessReport, StageReport, StageSpec
from result_pipe import Progress, ResultLines
from sandbox import Contents, Policy, Room, make_room

EXIT_TIMEOUT = 114
PASSING_EXIT_CODES = (0, 112)

#: What a job may see of the machine's environment.
FROM_MACHINE = (
    "CC", "CPLUS_INCLUDE_PATH", "CUDAHOSTCXX", "CUDA_HOME", "CUDA_PATH", "CUTLASS_PATH", "CXX", "C_INCLUDE_PATH",
    "ENABLE_TILE", "GPU_ARCH_LIST", "HIP_PATH", "HSA_OVERRIDE_GFX_VERSION", "LD_LIBRARY_PATH", "LIBRARY_PATH",
    "MATHDX_HOME", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_VISIBLE_DEVICES", "PYTORCH_ROCM_ARCH", "ROCM_HOME",
    "ROCM_PATH", "TORCH_CUDA_ARCH_LIST",
)
_CACHES = {
    "XDG_CACHE_HOME": "xdg",
    "TORCH_EXTENSIONS_DIR": "torch_extensions",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TORCH_HOME": "torch",
    "TRITON_CACHE_DIR": "triton",
    "CUDA_CACHE_PATH": "cuda",
    "CUTE_DSL_CACHE_DIR": "cute_dsl",
    "NUMBA_CACHE_DIR": "numba",
    "CCACHE_DIR": "ccache",
}
_PATH = ("/usr/local/cuda/bin", "/opt/rocm/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


@dataclass
class StageRunner:
    """What all stages of a job share. The seed lives here and in the pipe to the launcher, and nowhere else."""

    job: JobSpec
    policy: Policy
    uid: Optional[int]
    scratch: str
    marker: str
    #: launcher.py, warmup.py and cache_pack.py: name -> source.
    programs: Dict[str, bytes]
    seed: Optional[int]
    #: None: all that there are.
    gpus: Optional[List[Gpu]]
    events: EventLog
    wakeups: Wakeups
    #: `(pgid, pids, folders of the control group)`
    on_processes: Callable[[int, List[int], List[str]], None]

    def __post_init__(self) -> None:
        self._limits = Limits.of(self.job.limits.memory_mib, self.job.limits.processes, self.job.lane)
        self._cache = CarriedCache(self.scratch)

    def run(self, index: int, stage: StageSpec) -> StageReport:
        """Raises BoxFailure and OSError: what goes wrong with the submission is in the report."""
        report = StageReport(name=stage.name, mode=stage.mode, timeout_s=stage.timeout_s, started_at=utc_now())
        if self.job.warmup is not None:
            self.events.write("stage", stage=stage.name, state="warmup")
            report.warmup = self._run_warmup(f"warmup-{index}")
        if not self.wakeups.cancelled:
            self.events.write("stage", stage=stage.name, state="running")
            self._run_evaluation(f"stage-{index}", stage, report)
        report.finished_at = utc_now()
        if not self.wakeups.cancelled:
            self.events.write("stage", stage=stage.name, state="finished", passed=has_passed(report))
        return report

    def _run_warmup(self, name: str) -> ProcessReport:
        warmup = self.job.warmup
        assert warmup is not None
        files = {path: text for path, text in self.job.files.items() if path != self.job.main or path == warmup.file}
        room = self._make_room(name, files, "")
        cache_out, cache_write = os.pipe()
        try:
            receiver = self._cache.receive()
            sink = os.open(os.devnull, os.O_WRONLY)
            env = self._environment(room)
            # Warm-ups of existing submissions read both; neither means anything here.
            env.update(POPCORN_FD=str(sink), POPCORN_SEED="1", HOTLAP_CACHE_OUT=str(cache_write))
            pass_fds = [sink, cache_write, *self._hand_in_cache(env, "HOTLAP_CACHE_IN")]
            standing = "alone" if room.argv else "shared"
            program = os.path.join(room.own, "warmup.py")
            file = os.path.join(room.work, warmup.file)
            ended = run_contained(
                room,
                Command(
                    argv=[self.policy.python, program, standing, str(MOST_BYTES), room.cache, self.policy.python, file],
                    env=env,
                    timeout_s=warmup.timeout_s,
                    pass_fds=pass_fds,
                    readers={cache_out: receiver.feed},
                    on_processes=self.on_processes,
                ),
                self.wakeups,
            )
            receiver.end()
        finally:
            os.close(cache_out)
            room.leave()
        report = ProcessReport()
        _copy_end(ended, report)
        return report

    def _hand_in_cache(self, env: Dict[str, str], variable: str) -> List[int]:
        fd = self._cache.open()
        if fd is None:
            return []
        env[variable] = str(fd)
        return [fd]

    def _run_evaluation(self, name: str, stage: StageSpec, report: StageReport) -> None:
        results = ResultLines()
        progress = Progress(stage.cases.count("\n"))
        control = _Control()

        def on_result(data: bytes) -> None:
            for key, value in results.feed(data):
                if progress.feed(key, value):
                    self.events.write("progress", stage=stage.name, done=progress.done, of=progress.of)

        room = self._make_room(name, self.job.files, stage.cases)
        result_fd, popcorn_fd = os.pipe()
        control_fd, control_write = os.pipe()
        launch_read, launch_write = os.pipe()
        try:
            seed = "" if self.seed is None else str(self.seed)
            os.write(launch_write, f"{control_write}\n{seed}\n".encode())
            os.close(launch_write)
            env = self._environment(room)
            env.update(POPCORN_FD=str(popcorn_fd), HOTLAP_LAUNCH_FD=str(launch_read))
            if self.job.world_size is not None:
                env["POPCORN_GPUS"] = str(self.job.world_size)
            pass_fds = [popcorn_fd, control_write, launch_read, *self._hand_in_cache(env, "HOTLAP_CACHE_IN")]
            launcher = os.path.join(room.own, "launcher.py")
            ended = run_contained(
                room,
                Command(
                    argv=[self.policy.python, launcher, self.job.main, stage.mode, room.cases, room.cache],
                    env=env,
                    timeout_s=stage.timeout_s,
                    pass_fds=pass_fds,
                    readers={result_fd: on_result, control_fd: control.feed},
                    stop_if=lambda: results.overflow or control.has_worker_died,
                    on_processes=self.on_processes,
                ),
                self.wakeups,
            )
            report.exceeded = room.read_exceeded()
        finally:
            os.close(result_fd)
            os.close(control_fd)
            room.leave()
        results.end(ended.by_itself)
        _copy_end(ended, report)
        report.lines = results.lines
        report.malformed_lines = results.malformed
        report.overflow = results.overflow
        if control.has_worker_died:
            report.worker_died = True
            report.exit_code, report.signal = control.worker_end()
        if not control.is_ready and ended.by_itself and not self.wakeups.is_cancelled_after_all():
            # The launcher's first act was never reached, so no code of the participant's ran.
            raise BoxFailure("sandbox-failed", f"the evaluation could not be started: {ended.stderr[-500:].strip()}")

    def _make_room(self, name: str, files: Dict[str, str], cases: str) -> Room:
        contents = Contents(files, cases, self.programs)
        folder = os.path.join(self.scratch, name)
        return make_room(self.policy, folder, f"{self.marker}-{name}", self.uid, self._limits, contents, self.gpus)

    def _environment(self, room: Room) -> Dict[str, str]:
        env = {name: os.environ[name] for name in FROM_MACHINE if os.environ.get(name)}
        # `python3` must mean the job's Python to whatever the evaluation starts.
        path = [os.path.dirname(self.policy.python), *_PATH]
        if not room.argv:
            path += os.environ.get("PATH", "").split(os.pathsep)
            env["HOTLAP_JOB"] = self.marker
        env.update(
            PATH=os.pathsep.join(dict.fromkeys(entry for entry in path if entry)),
            HOME=room.home,
            TMPDIR=room.tmp,
            USER="job",
            LOGNAME="job",
            LANG="C.UTF-8",
            PYTHONDONTWRITEBYTECODE="1",
            PYTHONNOUSERSITE="1",
            PYTHONUNBUFFERED="1",
            # Deterministic cuBLAS, which some references ask for, is refused without it.
            CUBLAS_WORKSPACE_CONFIG=":4096:8",
        )
        env.update({name: os.path.join(room.cache, folder) for name, folder in _CACHES.items()})
        if self.gpus is not None:
            env.update(visible_environment(self.gpus))
        env.update(self.job.env)
        return env


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


def _copy_end(ended: Ended, report: ProcessReport) -> None:
    report.timed_out = ended.timed_out
    report.exit_code = EXIT_TIMEOUT if ended.timed_out else ended.exit_code
    report.signal = None if ended.timed_out else ended.signal
    report.duration_ms = ended.duration_ms
    report.stdout = ended.stdout
    report.stderr = ended.stderr
