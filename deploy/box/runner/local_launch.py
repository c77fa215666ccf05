"""Jobs on this machine itself: what a plain box's agent does with each verb. slurm_launch.py has the cluster's."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Union

import incoming
from end_job import cancel_job, forget_job, sweep_jobs
from follow import follow_job
from forker import Forker, Starter
from gpus import read_health
from job_folder import read_state
from paths import BoxPaths
from probe import probe
from python_choice import choose
from sandbox_wish import ContainerSpec
from traces import read_piece


class LocalLaunch:
    def __init__(self, box: BoxPaths, starter: Union[Forker, Starter]) -> None:
        self._box = box
        self._starter = starter

    def start(self, job_value: Any, seed_value: Any) -> bool:
        return self._starter.start(job_value, seed_value)

    def put(self, job_key: str, offset: Any, data: Any) -> int:
        return incoming.put(self._box, job_key, offset, data)

    def follow(self, job_key: str, start: int, on_event: Callable[[Dict[str, Any]], None]) -> Any:
        return follow_job(self._box, job_key, start, on_event)

    def cancel(self, job_key: str) -> bool:
        return cancel_job(self._box, job_key)

    def state(self, job_key: str) -> str:
        return read_state(self._box.job(job_key))

    def read_trace(self, job_key: str, stage: str, start: int) -> Optional[bytes]:
        return read_piece(self._box.job(job_key), stage, start)

    def forget(self, job_key: str) -> bool:
        return forget_job(self._box, job_key)

    def sweep(self, keep: List[str], older_than_s: float = 0) -> List[str]:
        return sweep_jobs(self._box, keep, older_than_s)

    def probe(self, sandbox: Union[str, ContainerSpec]) -> Dict[str, Any]:
        return probe(self._box, choose(sandbox))

    def health(self) -> List[Dict[str, object]]:
        return read_health()
