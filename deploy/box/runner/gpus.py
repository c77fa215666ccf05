"""The GPUs of this machine: what they are, how they are just now, and how a job is given some of them and not others.

Everything comes from the driver's own tool, nvidia-smi or rocm-smi. A job gets its GPUs by the driver's variables and,
in the sandbox on NVIDIA's driver, by the device nodes of those cards alone. AMD's runtime counts the nodes that it can
open, so there all of them stay and the variable alone chooses.
"""
from __future__ import annotations

import json
import os
import pwd
import re
from dataclasses import dataclass
from typing import Dict, List, Optional

from protocol import BoxFailure
from tools import run_tool

_MIB = 1024 * 1024


@dataclass
class Gpu:
    index: int
    model: str
    memory_mib: int
    driver: str
    memory_used_mib: int = 0
    vendor: str = "nvidia"
    #: How CUDA_VISIBLE_DEVICES names it wherever it stands in the order; empty: by its number.
    uuid: str = ""
    #: Of the device node /dev/nvidia<minor>; None where there is none of its own.
    minor: Optional[int] = None


def list_gpus() -> List[Gpu]:
    return _list_nvidia() or _list_amd()


def choose_gpus(gpus: List[Gpu], indexes: List[int]) -> List[Gpu]:
    """Raises BoxFailure when one is missing: cards do fall off the bus."""
    by_index = {gpu.index: gpu for gpu in gpus}
    missing = [index for index in indexes if index not in by_index]
    if missing:
        raise BoxFailure("runner-crashed", f"GPU {missing[0]} is not there; the driver lists {sorted(by_index)}")
    return [by_index[index] for index in indexes]


def visible_environment(gpus: List[Gpu]) -> Dict[str, str]:
    """The variables by which a process sees these GPUs and no others."""
    numbers = ",".join(str(gpu.index) for gpu in gpus)
    if gpus and gpus[0].vendor == "amd":
        return {"HIP_VISIBLE_DEVICES": numbers}
    cards = ",".join(gpu.uuid or str(gpu.index) for gpu in gpus)
    return {"CUDA_VISIBLE_DEVICES": cards} if gpus else {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}


def keep_devices(devices: List[str], gpus: List[Gpu]) -> List[str]:
    """Of all GPU device nodes those that a job with these GPUs needs."""
    if not gpus:
        return []
    cards = {f"/dev/nvidia{gpu.minor}" for gpu in gpus if gpu.minor is not None}
    return [device for device in devices if device in cards or not re.fullmatch(r"/dev/nvidia\d+", device)]


def read_health() -> List[Dict[str, object]]:
    """The rows of protocol.ts's gpuHealth."""
    rows = _nvidia_rows("index,uuid,utilization.gpu,memory.used,temperature.gpu")
    users = _nvidia_processes() if rows else {}
    found: List[Dict[str, object]] = [
        {
            "index": int(index),
            "utilization_percent": _number(busy) or 0,
            "memory_used_mib": _number(used) or 0,
            "temperature_c": _number(degrees),
            "processes": users.get(uuid, []),
        }
        for index, uuid, busy, used, degrees in rows
    ]
    return found or _amd_health()


def _nvidia_rows(fields: str) -> List[List[str]]:
    text = run_tool("nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits") or ""
    rows = [[part.strip() for part in line.split(",")] for line in text.splitlines()]
    return [row for row in rows if len(row) == fields.count(",") + 1 and row[0].isdigit()]


def _list_nvidia() -> List[Gpu]:
    rows = _nvidia_rows("index,name,memory.total,driver_version,memory.used,uuid,pci.bus_id")
    return [
        Gpu(
            index=int(index),
            model=model,
            memory_mib=int(_number(total) or 0),
            driver=driver,
            memory_used_mib=int(_number(used) or 0),
            uuid=uuid if uuid.startswith("GPU-") else "",
            minor=_device_minor(bus_id, int(index)),
        )
        for index, model, total, driver, used, uuid, bus_id in rows
    ]


def _device_minor(bus_id: str, index: int) -> int:
    """`00000000:3B:00.0` is what the tool says, `0000:3b:00.0` what the kernel says."""
    domain, _, rest = bus_id.lower().partition(":")
    try:
        with open(f"/proc/driver/nvidia/gpus/{domain[-4:]}:{rest}/information", encoding="utf-8") as file:
            match = re.search(r"^Device Minor:\s*(\d+)", file.read(), re.M)
    except OSError:
        match = None
    return int(match.group(1)) if match else index


def _nvidia_processes() -> Dict[str, List[str]]:
    text = run_tool(
        "nvidia-smi", "--query-compute-apps=gpu_uuid,pid,process_name,used_memory", "--format=csv,noheader,nounits"
    )
    found: Dict[str, List[str]] = {}
    for line in (text or "").splitlines():
        fields = [part.strip() for part in line.split(",")]
        if len(fields) == 4 and fields[1].isdigit():
            name = os.path.basename(fields[2]) or "a process"
            found.setdefault(fields[0], []).append(f"{name} (pid {fields[1]}, {_owner(fields[1])}, {fields[3]} MiB)")
    return found


def _owner(pid: str) -> str:
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
        return pwd.getpwuid(uid).pw_name
    except (OSError, KeyError):
        return "user unknown"


def _amd_cards(*what: str) -> Dict[str, Dict[str, object]]:
    text = run_tool("rocm-smi", *what, "--json")
    try:
        cards = json.loads(text or "{}")
    except ValueError:
        return {}
    return {name: card for name, card in cards.items() if isinstance(card, dict)} if isinstance(cards, dict) else {}


def _list_amd() -> List[Gpu]:
    cards = _amd_cards("--showproductname", "--showmeminfo", "vram", "--showdriverversion")
    driver = str(cards.get("system", {}).get("Driver version", ""))
    gpus = [
        Gpu(
            index=int(name[4:]),
            model=str(card.get("Card Series") or card.get("Card series") or card.get("Card Model") or "AMD GPU"),
            memory_mib=_mib_of(card.get("VRAM Total Memory (B)")),
            driver=driver,
            memory_used_mib=_mib_of(card.get("VRAM Total Used Memory (B)")),
            vendor="amd",
        )
        for name, card in cards.items()
        if re.fullmatch(r"card\d+", name)
    ]
    return sorted(gpus, key=lambda gpu: gpu.index)


def _amd_health() -> List[Dict[str, object]]:
    cards = _amd_cards("--showuse", "--showmeminfo", "vram", "--showtemp")
    rows: List[Dict[str, object]] = []
    for name, card in sorted(cards.items()):
        if re.fullmatch(r"card\d+", name):
            degrees = next((value for key, value in card.items() if key.startswith("Temperature (Sensor")), None)
            rows.append(
                {
                    "index": int(name[4:]),
                    "utilization_percent": _number(card.get("GPU use (%)")) or 0,
                    "memory_used_mib": _mib_of(card.get("VRAM Total Used Memory (B)")),
                    "temperature_c": _number(degrees),
                    "processes": [],
                }
            )
    return rows


def _number(text: object) -> Optional[float]:
    try:
        return float(str(text))
    except ValueError:
        return None


def _mib_of(text: object) -> int:
    return int((_number(text) or 0) // _MIB)
