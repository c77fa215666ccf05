"""What all rooms of a job have in common: what they are made of, what they see of the machine, and the carried cache."""
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence

import machine_environment
from carried_cache import MOST_BYTES, CarriedCache
from contained_process import Command, Ended, Wakeups, run_contained
from gpus import Gpu, visible_environment
from limits import Limits
from protocol import JobSpec
from process_tree import MARK
from sandbox import Contents, Policy, Room, make_room

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
class JobSite:
    job: JobSpec
    policy: Policy
    uid: Optional[int]
    scratch: str
    marker: str
    #: Our own programs that run inside of rooms: name -> source.
    programs: Dict[str, bytes]
    #: Those that the job was given; None: all that there are.
    gpus: Optional[List[Gpu]]
    #: Those that the job can see.
    visible: List[Gpu]
    wakeups: Wakeups
    #: `(pgid, pids, folders of the control group)`
    on_processes: Callable[[int, List[int], List[str]], None]

    def __post_init__(self) -> None:
        self.limits = Limits.of(self.job.limits.memory_mib, self.job.limits.processes, self.job.lane)
        self._cache = CarriedCache(self.scratch)

    def make_room(self, name: str, files: Dict[str, str], cases: str = "", folders: Sequence[str] = ()) -> Room:
        contents = Contents(files, cases, self.programs, tuple(folders))
        folder = os.path.join(self.scratch, name)
        return make_room(self.policy, folder, f"{self.marker}-{name}", self.uid, self.limits, contents, self.gpus)

    def environment(self, room: Room) -> Dict[str, str]:
        # A container's are those of its image (container_init.py).
        env = {} if room.container is not None else machine_environment.of_this_machine()
        # `python3` must mean the job's Python to whatever the evaluation starts.
        path = [os.path.dirname(self.policy.python), *_PATH]
        if not room.argv:
            path += os.environ.get("PATH", "").split(os.pathsep)
        if room.container is None:
            # By it processes are found that no record names yet. A sandbox takes it away again inside.
            env[MARK] = self.marker
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

    def hand_in_cache(self, env: Dict[str, str]) -> List[int]:
        """The descriptors to pass on, named in `env`: what the preparation left, if anything."""
        fd = self._cache.open()
        if fd is None:
            return []
        env["HOTLAP_CACHE_IN"] = str(fd)
        return [fd]

    def run(self, room: Room, command: Command) -> Ended:
        return run_contained(room, command, self.wakeups)

    def prepare(self, room: Room, argv: List[str], env: Dict[str, str], pass_fds: List[int], timeout_s: float) -> Ended:
        """Runs a program whose cache folder goes to the later rooms of the job, and leaves the room."""
        cache_out, cache_write = os.pipe()
        try:
            receiver = self._cache.receive()
            env["HOTLAP_CACHE_OUT"] = str(cache_write)
            standing = "alone" if room.argv else "shared"
            program = os.path.join(room.own, "warmup.py")
            ended = self.run(
                room,
                Command(
                    argv=[self.policy.python, program, standing, str(MOST_BYTES), room.cache, *argv],
                    env=env,
                    timeout_s=timeout_s,
                    pass_fds=[*pass_fds, cache_write],
                    readers={cache_out: receiver.feed},
                    on_processes=self.on_processes,
                ),
            )
            receiver.end()
        finally:
            os.close(cache_out)
            room.leave()
        return ended
