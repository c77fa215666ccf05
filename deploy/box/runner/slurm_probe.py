"""What a cluster is: its partitions as Slurm tells them, and one of its compute nodes as it says of itself.

A login node may lack what compute nodes have, and the other way round. So `probe` itself runs as a job of the cluster,
with the options that jobs get. It may wait in the queue longer than anybody waits for an answer; then it is left there, and
whoever asks again finds the same job, or its report.
"""
from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Union

import disk
import slurm_commands
import slurm_folder
from protocol import BoxFailure, to_json
from sandbox_wish import ContainerSpec
from slurm_batch import batch_arguments, batch_script
from slurm_commands import Partition, SlurmAway, SlurmRefused
from slurm_follow import read_tail

if TYPE_CHECKING:
    from slurm_launch import SlurmLaunch

_LIMIT_S = 240.0
_STALE_S = 3600.0
#: What the script prints around the report: a login profile may print text too.
_MARK = "hotlap-probe-report "


def probe_cluster(launch: "SlurmLaunch", sandbox: Union[str, ContainerSpec]) -> Dict[str, Any]:
    """The fields of protocol.ts's probeReport. Raises BoxFailure."""
    try:
        partitions = slurm_commands.list_partitions()
        _check_partition(partitions, launch.options.partition)
        report = _probe_node(launch, sandbox)
    except SlurmAway as error:
        raise BoxFailure("cluster-away", str(error)) from error
    except SlurmRefused as error:
        raise BoxFailure("cluster-refused", str(error)) from error
    wanted = launch.options.partition
    ours = [each for each in partitions if (each.is_default if wanted is None else each.name == wanted)]
    report["slurm"] = {
        "partitions": [{"name": each.name, "nodes": each.nodes, "gres": each.gres} for each in partitions],
        "gpu_types": _gpu_types(ours, launch.options.gres),
    }
    return report


def _check_partition(partitions: List[Partition], wanted: Optional[str]) -> None:
    names = sorted({each.name for each in partitions})
    if wanted is not None and wanted not in names:
        raise SlurmRefused(f"there is no partition {wanted!r}; the cluster has {', '.join(names) or 'none'}")


def _gpu_types(partitions: List[Partition], gres: Optional[str]) -> List[str]:
    """Those that jobs get: of the option where it names one, else all of the partition."""
    if gres is None:
        return []
    named = [kind for kind, _count in slurm_commands.gpu_types(gres) if not kind.isdigit()]
    offered = [kind for each in partitions for kind, _count in slurm_commands.gpu_types(each.gres)]
    return list(dict.fromkeys(named or offered))


def _probe_node(launch: "SlurmLaunch", sandbox: Union[str, ContainerSpec]) -> Dict[str, Any]:
    container = ["--container", sandbox.engine, sandbox.image] if isinstance(sandbox, ContainerSpec) else []
    # Who asks Slurm for the same finds the same look.
    asked = to_json([*batch_arguments(launch.options, "", _LIMIT_S, "", 1), *container])
    key = hashlib.sha256(asked.encode()).hexdigest()[:16]
    name = launch.name(f".probe-{key}")
    log = os.path.join(launch.box.home, f"probe-{key}.log")
    launch.box.make()
    # Below what Hotlap allows a probe.
    patience_s = 2.5 * launch.options.patience_s
    started = time.monotonic()
    report = _read_report(log)
    job_id: Optional[int] = None
    submitted = False
    while report is None:
        alive = launch.queue.look(patience_s).alive(name)
        slurm_folder.refresh(launch.box.home)
        report = _read_report(log)
        if report is not None:
            break
        if alive:
            job_id = alive[0].job_id
            if time.monotonic() - started > patience_s:
                why = f" ({alive[0].reason})" if alive[0].reason else ""
                raise BoxFailure("cluster-away", f"the look at a node, job {job_id}, still waits in the cluster{why}")
        elif not submitted:
            _remove(log)
            script = batch_script(launch.runner, launch.box, "probe", "--mark", _MARK, *container)
            job_id = slurm_commands.submit(batch_arguments(launch.options, name, _LIMIT_S, log, 1), script)
            submitted = True
            started = time.monotonic()
        elif time.monotonic() - started > launch.options.settle_s:
            what = slurm_commands.describe_job(job_id) if job_id is not None else "it is not in the queue"
            raise BoxFailure("runner-crashed", f"the look at a node gave no report; {what}: {read_tail(log)}")
        time.sleep(0.2)
    _remove(log)
    return report


def _read_report(log: str) -> Optional[Dict[str, Any]]:
    try:
        if time.time() - os.stat(log).st_mtime > _STALE_S:
            return None
        with open(log, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(_MARK):
            try:
                return json.loads(line[len(_MARK) :])
            except ValueError:
                return None
    return None


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
