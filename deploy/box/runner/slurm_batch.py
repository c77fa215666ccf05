"""What sbatch is told of a job: its options, and the script that Slurm runs on the compute node."""
from __future__ import annotations

import dataclasses
import math
import shlex
import sys
from dataclasses import dataclass, field
from typing import Any, List, Optional

from paths import BoxPaths


_WITH_GPUS = ("--exclusive", "--gpus", "--gres", "--tres")


@dataclass(frozen=True)
class SlurmOptions:
    partition: Optional[str] = None
    account: Optional[str] = None
    qos: Optional[str] = None
    #: `gpu`, `gpu:h100` or `gpu:h100:2`; the number is the job's own where none is given.
    gres: Optional[str] = None
    #: Further options of sbatch, one argument each.
    options: List[str] = field(default_factory=list)
    #: How often the queue is looked at.
    poll_s: float = 5.0
    #: How long a job must be out of the queue without a result before it counts as lost: file systems show it late.
    settle_s: float = 15.0
    #: With a command's own time below what Hotlap allows each verb, so that it gets an answer instead of a lost agent.
    patience_s: float = 35.0

    @property
    def asks_for_gpus(self) -> bool:
        """A whole node comes with its GPUs, also where Slurm does not know them."""
        return self.gres is not None or any(option.startswith(_WITH_GPUS) for option in self.options)

    @staticmethod
    def of(value: Any) -> "SlurmOptions":
        known = {each.name for each in dataclasses.fields(SlurmOptions)}
        if not isinstance(value, dict) or not set(value) <= known:
            raise ValueError(f"the options of a cluster are {', '.join(sorted(known))}")
        return SlurmOptions(**value)


def batch_arguments(options: SlurmOptions, name: str, limit_s: float, log: str, gpus: int) -> List[str]:
    wanted = [
        ("partition", options.partition),
        ("account", options.account),
        ("qos", options.qos),
        ("gres", gres_for(options.gres, gpus)),
        ("time", str(math.ceil(limit_s / 60))),
        ("nodes", "1"),
        ("ntasks", "1"),
        ("job-name", name),
        # A percent sign stands for something in it.
        ("output", log.replace("%", "%%")),
        ("open-mode", "append"),
        ("chdir", "/"),
        ("export", "ALL"),
    ]
    # Ours last: of two that say the same, sbatch takes the later.
    return [*options.options, *(f"--{key}={value}" for key, value in wanted if value is not None), "--no-requeue"]


def batch_script(runner: str, box: BoxPaths, verb: str, *arguments: str) -> str:
    """A compute node may lack the login node's Python."""
    words = [runner, verb, "--root", box.root, "--instance", box.instance, *arguments]
    python = shlex.quote(sys.executable)
    return f'#!/bin/sh\npython={python}\n[ -x "$python" ] || python=python3\nexec "$python" {shlex.join(words)}\n'


def gres_for(gres: Optional[str], gpus: int) -> Optional[str]:
    """`gpu:h100` -> `gpu:h100:1`; a job that needs several GPUs gets them, whatever number was given."""
    if not gres:
        return None
    return ",".join(_counted(part, gpus) if part.split(":")[0] == "gpu" else part for part in gres.split(","))


def _counted(gres: str, gpus: int) -> str:
    name, _, count = gres.rpartition(":")
    return f"{name}:{max(int(count), gpus)}" if name and count.isdigit() else f"{gres}:{gpus}"
