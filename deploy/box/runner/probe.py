"""What the machine is: answered to `probe`, and cut down to the `system` part of every result.

The driver's tools may take seconds and disturb a timing, so a job reads what the last probe stored; it asks by itself,
before its first stage, only when the machine was never probed since it booted.
"""
from __future__ import annotations

import dataclasses
import glob
import json
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

import disk
from events import utc_now
from paths import BoxPaths
from protocol import SystemInfo, to_json
from python_choice import Choice

_TOOL_S = 4.0


@dataclass
class Gpu:
    index: int
    model: str
    memory_mib: int
    driver: str


def probe(box: BoxPaths, choice: Choice) -> Dict[str, Any]:
    """The fields of protocol.ts's probeReport. Bounded: each tool has a few seconds."""
    box.make()
    gpus = list_gpus()
    system = describe_system(choice, gpus)
    disk.write_durably(box.facts, to_json({"boot": _boot_id(), "system": dataclasses.asdict(system)}))
    return {
        "hostname": system.hostname,
        "platform": system.platform,
        "cpu": system.cpu,
        "cpu_count": os.cpu_count() or 1,
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024),
        "python": choice.python.version,
        "python_path": choice.python.path,
        "gpus": [dataclasses.asdict(gpu) for gpu in gpus],
        "torch": choice.python.torch,
        "nvcc": _nvcc_version(),
        "profiler": next((tool for tool in ("ncu", "rocprofv3") if _find_tool(tool)), None),
        "sandbox": choice.policy.kind,
        "sandbox_problem": choice.problem,
        "limits": choice.policy.limits_kind,
        "limits_problem": choice.limits_problem,
        "syscall_filter": choice.policy.syscall_filter is not None,
        "disk_free_mib": disk.free_bytes(box.jobs) // (1024 * 1024),
        "clock_utc": utc_now(),
    }


def load_system(box: BoxPaths, choice: Choice) -> SystemInfo:
    try:
        with open(box.facts, encoding="utf-8") as file:
            facts = json.load(file)
        if facts["boot"] == _boot_id():
            system = SystemInfo(**facts["system"])
            system.torch = choice.python.torch or ""
            return system
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return describe_system(choice, list_gpus())


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


def list_gpus() -> List[Gpu]:
    return _list_nvidia() or _list_amd()


def _list_nvidia() -> List[Gpu]:
    text = _run_tool("nvidia-smi", "--query-gpu=index,name,memory.total,driver_version", "--format=csv,noheader,nounits")
    gpus: List[Gpu] = []
    for line in (text or "").splitlines():
        fields = [part.strip() for part in line.split(",")]
        if len(fields) == 4 and fields[0].isdigit():
            memory = int(fields[2]) if fields[2].isdigit() else 0
            gpus.append(Gpu(int(fields[0]), fields[1], memory, fields[3]))
    return gpus


def _list_amd() -> List[Gpu]:
    text = _run_tool("rocm-smi", "--showproductname", "--showmeminfo", "vram", "--showdriverversion", "--json")
    try:
        cards = json.loads(text or "{}")
    except ValueError:
        return []
    driver = str(cards.get("system", {}).get("Driver version", ""))
    gpus: List[Gpu] = []
    for name, card in sorted(cards.items()):
        match = re.fullmatch(r"card(\d+)", name)
        if match and isinstance(card, dict):
            model = card.get("Card Series") or card.get("Card series") or card.get("Card Model") or "AMD GPU"
            memory = str(card.get("VRAM Total Memory (B)", "0"))
            memory_mib = int(memory) // (1024 * 1024) if memory.isdigit() else 0
            gpus.append(Gpu(int(match.group(1)), str(model), memory_mib, driver))
    return sorted(gpus, key=lambda gpu: gpu.index)


def _find_tool(name: str) -> Optional[str]:
    extra = ["/usr/bin", "/usr/local/bin", "/usr/local/cuda/bin", "/opt/rocm/bin"]
    extra += sorted(glob.glob("/opt/nvidia/nsight-compute/*"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *extra]))


def _run_tool(name: str, *arguments: str) -> Optional[str]:
    path = _find_tool(name)
    if path is None:
        return None
    try:
        ended = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TOOL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.decode("utf-8", "replace") if ended.returncode == 0 else None


def _nvcc_version() -> Optional[str]:
    match = re.search(r"release ([\d.]+)", _run_tool("nvcc", "--version") or "")
    return match.group(1) if match else None


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            match = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.M)
        if match:
            return match.group(1).strip()
    except OSError:
        pass
    return (_run_tool("sysctl", "-n", "machdep.cpu.brand_string") or "").strip() or platform.machine()


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return (_run_tool("sysctl", "-n", "kern.boottime") or "").strip()
