"""What the machine is: answered to `probe`, and cut down to the `system` part of every result.

The driver's tools may take seconds and disturb a timing, so a job reads what the last probe stored; it asks by itself,
before its first stage, only when the machine was never probed since it booted.
"""
from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
from typing import Any, Dict, List, Optional, Tuple

import disk
from events import utc_now
from gpus import Gpu, list_gpus
from paths import BoxPaths
from protocol import SystemInfo, to_json
from python_choice import Choice
from tools import run_tool


def probe(box: BoxPaths, choice: Choice) -> Dict[str, Any]:
    """The fields of protocol.ts's probeReport. Bounded: each tool has a few seconds."""
    box.make()
    gpus = list_gpus()
    system = describe_system(choice, gpus)
    facts = {"boot": _boot_id(), "system": dataclasses.asdict(system), "gpus": [dataclasses.asdict(gpu) for gpu in gpus]}
    disk.write_durably(box.facts, to_json(facts))
    return {
        "hostname": system.hostname,
        "platform": system.platform,
        "cpu": system.cpu,
        "cpu_count": os.cpu_count() or 1,
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024),
        "python": choice.python.version,
        "python_path": choice.python.path,
        "gpus": [
            {
                "index": gpu.index,
                "model": gpu.model,
                "memory_mib": gpu.memory_mib,
                "driver": gpu.driver,
                "memory_used_mib": gpu.memory_used_mib,
            }
            for gpu in gpus
        ],
        "torch": choice.python.torch,
        "runtime": system.runtime,
        "nvcc": choice.python.nvcc if choice.policy.is_container else _nvcc_version(),
        "profiler": next((tool for tool in ("ncu", "rocprofv3") if choice.policy.find_tool(tool)), None),
        "sandbox": choice.policy.kind,
        "sandbox_problem": choice.problem,
        "limits": choice.policy.limits_kind,
        "limits_problem": choice.limits_problem,
        "syscall_filter": choice.policy.syscall_filter is not None,
        "disk_free_mib": disk.free_bytes(box.jobs) // (1024 * 1024),
        "clock_utc": utc_now(),
    }


def load_facts(box: BoxPaths, choice: Choice) -> Tuple[SystemInfo, List[Gpu]]:
    try:
        with open(box.facts, encoding="utf-8") as file:
            facts = json.load(file)
        if facts["boot"] == _boot_id():
            system = SystemInfo(**facts["system"])
            system.torch = choice.python.torch or ""
            return system, [Gpu(**gpu) for gpu in facts["gpus"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    gpus = list_gpus()
    return describe_system(choice, gpus), gpus


def describe_system(choice: Choice, gpus: List[Gpu]) -> SystemInfo:
    runtime = ""
    if choice.python.cuda:
        runtime = "CUDA " + choice.python.cuda
    elif choice.python.hip:
        runtime = "ROCm " + choice.python.hip
    return SystemInfo(
        gpu=gpus[0].model if gpus else "",
        device_count=len(gpus),
        cpu=_cpu_name(),
        runtime=runtime,
        platform=platform.platform(),
        torch=choice.python.torch or "",
        hostname=platform.node(),
    )


def _nvcc_version() -> Optional[str]:
    match = re.search(r"release ([\d.]+)", run_tool("nvcc", "--version") or "")
    return match.group(1) if match else None


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            match = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.M)
        if match:
            return match.group(1).strip()
    except OSError:
        pass
    return (run_tool("sysctl", "-n", "machdep.cpu.brand_string") or "").strip() or platform.machine()


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return (run_tool("sysctl", "-n", "kern.boottime") or "").strip()
