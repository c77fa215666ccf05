"""What Docker or Podman is asked for: the whole command of one container."""
from __future__ import annotations

import csv
import io
import os
import resource
from typing import Dict, List, Optional, Tuple

from bubblewrap_room import SIZES
from gpus import Gpu
from limits import Entry

#: Paths inside.
WORK, HOME, CACHE, OWN = "/work", "/home/job", "/cache", "/run/hotlap"
_SHM = "/dev/shm"
#: Of each process. What bounds the number of processes is --pids-limit.
_NAMED_LIMITS = {"nofile": (resource.RLIMIT_NOFILE, 65_536), "nproc": (resource.RLIMIT_NPROC, 32_768)}


class EngineCommand:
    def __init__(self, kind: str, engine: str, name: str, entry: Entry) -> None:
        """`kind`: docker or podman; `engine`: its command."""
        self._kind = kind
        self._engine = engine
        self._name = name
        self._entry = entry
        self._uid = entry.uid if entry.uid is not None else os.getuid()
        self._gid = entry.uid if entry.uid is not None else os.getgid()

    @property
    def cores(self) -> List[int]:
        return sorted(self._entry.limits.cores or [])

    def accounts(self) -> Dict[str, str]:
        """Files of the container in which its user has a name."""
        return {
            "/etc/passwd": f"job:x:{self._uid}:{self._gid}:job:{HOME}:/bin/sh\n",
            "/etc/group": f"job:x:{self._gid}:\n",
        }

    def argv(
        self, mounts: List[Tuple[str, str]], devices: List[str], gpus: Optional[List[Gpu]], program: List[str]
    ) -> List[str]:
        """`mounts`: (of the machine, in the container). `program`: its file, the image, its arguments."""
        argv = [self._engine, "run", "--rm", "--pull", "never", "--name", self._name, "--label", "hotlap=job"]
        argv += ["--hostname", "job", "--network", "none", "--read-only", "--cap-drop", "ALL"]
        argv += ["--security-opt", "no-new-privileges", "--ipc", "private", "--log-driver", "none"]
        argv += ["--no-healthcheck", "--workdir", "/"]
        if os.path.exists("/sys/fs/selinux/enforce"):
            # Its labels would keep the container from the door and from the job's files.
            argv += ["--security-opt", "label=disable"]
        argv += self._user()
        argv += self._limits()
        for source, target in mounts:
            argv += ["--mount", _mount(source, target)]
        argv += gpu_options(self._kind, devices, gpus)
        return [*argv, "--entrypoint", *program]

    def _user(self) -> List[str]:
        argv = ["--user", f"{self._uid}:{self._gid}"]
        for group in self._entry.groups:
            argv += ["--group-add", str(group)]
        if self._kind == "podman":
            argv += ["--read-only-tmpfs=false", "--http-proxy=false", "--image-volume", "ignore"]
            if os.getuid() != 0:
                argv += ["--userns", "keep-id"]
        return argv

    def _limits(self) -> List[str]:
        limits = self._entry.limits
        argv = ["--memory", f"{limits.memory_bytes}b", "--memory-swap", f"{limits.memory_bytes}b"]
        argv += ["--pids-limit", str(limits.processes)]
        for word, (number, most) in _NAMED_LIMITS.items():
            # An engine's own idea of them may be above what it may give.
            hard = resource.getrlimit(number)[1]
            value = most if hard == resource.RLIM_INFINITY else min(most, hard)
            argv += ["--ulimit", f"{word}={value}:{value}"]
        if self.cores and os.getuid() == 0:
            argv += ["--cpuset-cpus", ",".join(map(str, self.cores))]
        largest = limits.memory_bytes // 2
        argv += ["--shm-size", f"{min(SIZES[_SHM], largest)}b"]
        for path in ("/tmp", HOME, WORK, CACHE):
            argv += ["--tmpfs", f"{path}:rw,exec,nosuid,nodev,mode=1777,size={min(SIZES[path], largest)}"]
        return argv


def gpu_options(kind: str, devices: List[str], gpus: Optional[List[Gpu]]) -> List[str]:
    """NVIDIA's cards through its container toolkit, which brings the driver's libraries; AMD's as plain devices."""
    if not devices:
        return []
    if not any(device.startswith("/dev/nvidia") for device in devices):
        return [option for device in devices for option in ("--device", device)]
    cards = ["all"] if gpus is None else [gpu.uuid or str(gpu.index) for gpu in gpus]
    if kind == "podman":
        return [option for card in cards for option in ("--device", f"nvidia.com/gpu={card}")]
    # The value is a line of CSV itself: more than one card needs quotes.
    return ["--gpus", "all" if gpus is None else f'"device={",".join(cards)}"']


def _mount(source: str, target: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"source={source}", f"target={target}", "readonly"])
    return line.getvalue()
