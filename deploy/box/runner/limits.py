"""What bounds a stage, and how its first process gives up its rights between fork and exec.

Memory and the number of processes are bounded for the whole stage by a control group where the box offers one.
Otherwise each process is bounded alone, and its address space only on a machine without a GPU: CUDA reserves far more
than it uses. File size, open files, core dumps and CPU time are always limits of the process. Wall time is the
supervisor's business (contained_process.py).
"""
from __future__ import annotations

import math
import os
import resource
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Set

import process_tree
from cgroup import Group
from cores import cores_of_lane
from protocol import LaneSpec

MIB = 1024 * 1024
_PROCESSES = 4_096
_FILE_BYTES = 16 * 1024 * MIB
_OPEN_FILES = 65_536


@dataclass(frozen=True)
class Limits:
    """Of one stage."""

    memory_bytes: int
    processes: int
    #: CPU numbers that it may run on; None: all.
    cores: Optional[Set[int]] = None

    @staticmethod
    def of(memory_mib: Optional[int], processes: Optional[int], lane: Optional[LaneSpec] = None) -> "Limits":
        """Without a wish: an eighth of the machine stays free for it and for us, the rest is shared by its lanes."""
        most = machine_memory_bytes() * 7 // 8 // (lane.of if lane else 1)
        return Limits(
            memory_bytes=min(memory_mib * MIB, most) if memory_mib else most,
            processes=processes or _PROCESSES,
            cores=cores_of_lane(lane.slot, lane.of) if lane else None,
        )


def machine_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass
class Entry:
    """`uid` None: stay who we are; then processes of others count against our own number, so it stays unlimited."""

    limits: Limits
    uid: Optional[int]
    groups: List[int]
    group: Optional[Group]
    is_namespaced: bool
    has_gpu: bool
    #: A container: its engine bounds it as a whole and changes its user, and our child is only the engine's command.
    by_engine: bool = False

    def rlimits(self, timeout_s: float) -> Dict[str, int]:
        """Of each process, by the name of the constant."""
        wanted = {
            "RLIMIT_CORE": 0,
            "RLIMIT_FSIZE": _FILE_BYTES,
            "RLIMIT_NOFILE": _OPEN_FILES,
            "RLIMIT_CPU": math.ceil(timeout_s * (os.cpu_count() or 1)) + 10,
        }
        if self.group is None and not self.by_engine:
            if self.is_namespaced or self.uid is not None:
                wanted["RLIMIT_NPROC"] = self.limits.processes
            if process_tree.IS_LINUX and not self.has_gpu:
                wanted["RLIMIT_AS"] = self.limits.memory_bytes
        return wanted

    def make(self, timeout_s: float) -> Callable[[], None]:
        """What the child runs. Everything that allocates or imports happens here, before the fork."""
        die_with_parent = process_tree.make_die_with_parent()
        if self.by_engine:
            return die_with_parent
        refuse_new_rights = process_tree.make_refuse_new_rights()
        wanted = [(getattr(resource, name), most) for name, most in self.rlimits(timeout_s).items()]
        cores = self.limits.cores

        def apply() -> None:
            if cores is not None:
                os.sched_setaffinity(0, cores)
            # Before the change of user, which may close it to us.
            if self.group is not None:
                self.group.enter()
            if self.uid is not None:
                os.setgroups(self.groups)
                os.setresgid(self.uid, self.uid, self.uid)
                os.setresuid(self.uid, self.uid, self.uid)
            for limit, most in wanted:
                hard = resource.getrlimit(limit)[1]
                value = most if hard == resource.RLIM_INFINITY else min(most, hard)
                try:
                    resource.setrlimit(limit, (value, value))
                except (OSError, ValueError):
                    # macOS has ceilings that it does not tell; a Linux box that refuses is out of order.
                    if process_tree.IS_LINUX:
                        raise
            # bubblewrap does so itself, and may be a setuid program that needs them once.
            if not self.is_namespaced:
                refuse_new_rights()
            # After the change of user, which would clear it.
            die_with_parent()

        return apply
