"""The engine's own benchmark client (`vllm bench serve`) in a room with the pristine environment.

It speaks HTTP over TCP to an address, and the server's network is not reachable from its room. So a relay of ours in the
same room (serving_relay.py) listens on the loopback there, passes each connection on to one that the launcher of the
server made, and starts the client. All that passes goes through it, so it also keeps what was asked and answered: what
the client reports is held against that, and the audit reads it.
"""
from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from job_site import JobSite
from sandbox import Contents, make_room
from serving_asking import Lines
from serving_engine import Engine, Model
from serving_residents import Residents
from serving_server import OFFLINE, Server, ServerFailed, hand_in
from serving_spec import ServingSpec, Shape

PROGRAMS = ("serving_relay", "serving_answer")
#: Of what passes between client and server: many times what they have to say.
_BYTES_A_TOKEN_IN, _BYTES_A_TOKEN_OUT, _BYTES_A_REQUEST = 64, 2048, 65_536


class BenchMissing(Exception):
    """It ended without having asked the server anything."""


@dataclass
class Told:
    #: Its result file.
    result: Dict[str, Any]
    #: Of each timed request: `prompt` and `record`.
    exchanges: List[Dict[str, Any]]


@dataclass
class EngineClient:
    site: JobSite
    spec: ServingSpec
    residents: Residents
    uid: Optional[int]
    programs: Dict[str, bytes]
    model: Model
    count: int = 0

    def run(self, server: Server, engine: Engine, shape: Shape, seed: int, deadline: float) -> Told:
        """Raises BenchMissing, ServerFailed, TimedOut, Cancelled."""
        site = self.site
        self.count += 1
        name = f"bench-{self.count}"
        folders = tuple(dict.fromkeys([*engine.folders, *self.model.folders]))
        room = make_room(
            site.policy, os.path.join(site.scratch, name), f"{site.marker}-{name}", self.uid, site.limits,
            Contents({}, "", self.programs, folders), [],
        )  # fmt: skip
        order = {
            "command": self._command(engine, shape, seed, room.work),
            "folder": room.work,
            "count": shape.num_prompts,
            "most_characters": 100 * shape.output_len + 4096,
            "most_bytes": _most_bytes(shape),
        }
        out_fd, out_write = os.pipe()
        pass_fds = [hand_in(json.dumps(order).encode(), site.scratch), out_write, os.dup(server.dial_fd())]
        env = {**site.environment(room), **OFFLINE, "HOTLAP_RELAY_FDS": " ".join(map(str, pass_fds))}
        lines = Lines()
        argv = [site.policy.python, os.path.join(room.own, "serving_relay.py")]
        limit_s = self.spec.benchmark_timeout_s
        resident = self.residents.move_in(room, argv, env, limit_s, pass_fds, {out_fd: lines.feed})
        try:
            self.residents.wait(
                lambda: lines.last is not None or not resident.is_alive or server.find_end() is not None, deadline
            )
        finally:
            self.residents.move_out(resident)
        last = lines.last
        if last is None or (last["result"] is None and last["exchanges"]):
            end = server.find_end()
            if end is not None:
                raise ServerFailed(f"The server ended while it was asked, with {end}.")
        if last is None or not last["exchanges"]:
            raise BenchMissing(_end_of(resident.stdout.text(), resident.stderr.text()))
        if last["result"] is None:
            faults = [exchange["record"]["error"] for exchange in last["exchanges"] if exchange["record"]["error"]]
            raise ServerFailed(f"The benchmark client gave up. {faults[0] if faults else 'It says no reason.'}", "wrong")
        return Told(last["result"], last["exchanges"])

    def _command(self, engine: Engine, shape: Shape, seed: int, folder: str) -> List[str]:
        spec = self.spec
        more: List[str] = []
        if spec.concurrency is not None:
            more += ["--max-concurrency", str(spec.concurrency)]
        if spec.request_rate is not None:
            more += ["--request-rate", str(spec.request_rate)]
        if spec.goodput_ms:
            more += ["--goodput", *(f"{name}:{limit:g}" for name, limit in spec.goodput_ms.items())]
        fills = {
            "python": engine.python,
            "model": self.model.path,
            "model_name": spec.model,
            "completions": engine.spec.completions,
            "num_prompts": str(shape.num_prompts),
            "input_len": str(shape.input_len),
            "output_len": str(shape.output_len),
            "seed": str(seed),
            "results": folder,
        }
        words: List[str] = []
        for word in engine.spec.bench or []:
            if word == "{args}":
                words += more
                continue
            for key, value in fills.items():
                word = word.replace("{%s}" % key, value)
            words.append(word)
        return words


def _most_bytes(shape: Shape) -> int:
    """Of a run: one request goes ahead of the timed ones."""
    each = _BYTES_A_TOKEN_IN * shape.input_len + _BYTES_A_TOKEN_OUT * shape.output_len + _BYTES_A_REQUEST
    return (shape.num_prompts + 1) * each


def _end_of(*texts: str) -> str:
    return " ".join(" ".join(texts).split())[-500:] or "it says nothing"
