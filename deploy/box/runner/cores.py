"""Which CPU cores a lane has: the machine's, shared out so that no two lanes meet on one.

Hyper-threads of one core stay together: two timings on one core would slow each other down.
"""
from __future__ import annotations

import os
from typing import List, Optional, Set


def cores_of_lane(slot: int, of: int) -> Optional[Set[int]]:
    """CPU numbers; None when there are fewer cores than lanes, or the system cannot tell: then nothing is pinned."""
    if of < 2 or not hasattr(os, "sched_getaffinity"):
        return None
    cores = _physical_cores(sorted(os.sched_getaffinity(0)))
    share = len(cores) // of
    if share == 0:
        return None
    return {cpu for core in cores[slot * share : (slot + 1) * share] for cpu in core}


def _physical_cores(allowed: List[int]) -> List[List[int]]:
    cores: List[List[int]] = []
    seen: Set[int] = set()
    for cpu in allowed:
        if cpu not in seen:
            core = sorted((_siblings(cpu) | {cpu}) & set(allowed))
            seen.update(core)
            cores.append(core)
    return cores


def _siblings(cpu: int) -> Set[int]:
    """`0,64` or `0-1`, as the kernel writes it."""
    try:
        with open(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", encoding="ascii") as file:
            text = file.read().strip()
    except OSError:
        return {cpu}
    found: Set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found
