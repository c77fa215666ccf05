"""The client in its room, from the runner's side: plans in, records out. See serving_client.py.

It has a user of its own, no GPU and no file of the submission's, and one of it lives for all of a job.
"""
from __future__ import annotations

import array
import json
import os
import socket
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from job_site import JobSite
from protocol import BoxFailure
from sandbox import Contents, make_room
from serving_residents import Resident, Residents, TimedOut
from serving_server import Server, ServerFailed, hand_in

_NEWS_S = 0.5
#: Requests of a gate under way at once.
_GATE_CONCURRENCY = 8
#: Of one answer without a stream: fifty tokens with all that is told of them.
ANSWER_BYTES = 512 * 1024
_CHARACTERS_A_TOKEN = 100

Record = Dict[str, Any]
OnDone = Callable[[int], None]


def completion(model: str, prompt: str, tokens: int, likeliest: int = 0) -> Dict[str, Any]:
    """The body of a request for a greedy answer; `likeliest`: how many tokens are named at each place."""
    body: Dict[str, Any] = {"model": model, "prompt": prompt, "max_tokens": tokens, "temperature": 0}
    if likeliest > 0:
        body["logprobs"] = likeliest
    return body


class Asking:
    def __init__(self, site: JobSite, residents: Residents, uid: Optional[int], programs: Dict[str, bytes], limit_s: float) -> None:
        self._site = site
        self._residents = residents
        self._uid = uid
        self._programs = programs
        self._limit_s = limit_s
        self._resident: Optional[Resident] = None
        self._plans: Optional[socket.socket] = None
        self._lines = Lines()
        self._count = 0

    def ask_each(
        self,
        server: Server,
        path: str,
        bodies: List[Dict[str, Any]],
        deadline: float,
        on_done: OnDone,
        most_bytes: int = ANSWER_BYTES,
    ) -> List[Record]:
        """Answers without a stream. Raises as `ask` does."""
        plan = _plan(server, path, bodies)
        plan.update(concurrency=_GATE_CONCURRENCY, stream=False, most_bytes=most_bytes)
        return self.ask(server, plan, deadline, on_done)["records"]

    def time_each(
        self,
        server: Server,
        path: str,
        bodies: List[Dict[str, Any]],
        rehearsal: Dict[str, Any],
        load: Tuple[Optional[int], Optional[List[float]]],
        deadline: float,
        on_done: OnDone,
    ) -> Dict[str, Any]:
        """Streamed answers and how long they took: `records` and `duration_s`. `load`: concurrency and arrivals."""
        plan = _plan(server, path, bodies)
        most = _CHARACTERS_A_TOKEN * max(body["max_tokens"] for body in bodies) + 4096
        plan.update(concurrency=load[0], arrivals_s=load[1], most_characters=most, rehearsal=rehearsal)
        return self.ask(server, plan, deadline, on_done)

    def ask(self, server: Server, plan: Dict[str, Any], deadline: float, on_done: OnDone) -> Dict[str, Any]:
        """The last line about this plan. Raises ServerFailed, TimedOut, Cancelled, BoxFailure."""
        client = self._resident
        if client is None or not client.is_alive:
            client = self._move_in()
        assert self._plans is not None
        self._lines.begin(on_done)
        plan_fd = hand_in(json.dumps(plan).encode(), self._site.scratch)
        try:
            fds = array.array("i", [plan_fd, server.dial_fd()])
            self._plans.sendmsg([b"plan"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        except OSError:
            pass  # It is dead, which is seen below.
        finally:
            os.close(plan_fd)
        try:
            self._residents.wait(
                lambda: self._lines.last is not None or not client.is_alive or server.find_end() is not None, deadline
            )
        except BaseException:
            # It may still be in the middle of this plan.
            self.move_out()
            raise
        if self._lines.last is not None:
            self._blame_the_end(server, self._lines.last)
            return self._lines.last
        self.move_out()
        end = server.find_end()
        if end is not None:
            raise ServerFailed(f"The server ended while it was asked, with {end}.")
        detail = client.stderr.text()[-500:].strip()
        raise BoxFailure("runner-crashed", f"the client ended with {client.how_it_ended()}: {detail}")

    def _blame_the_end(self, server: Server, told: Dict[str, Any]) -> None:
        """Connections break when a server ends, and the news of the breaking may come first."""
        if not any(record["error"] for record in told["records"]):
            return
        try:
            self._residents.wait(lambda: server.find_end() is not None, time.monotonic() + _NEWS_S)
        except TimedOut:
            return
        raise ServerFailed(f"The server ended while it was asked, with {server.find_end()}.")

    def move_out(self) -> None:
        if self._resident is not None:
            self._residents.move_out(self._resident)
            self._resident = None
        if self._plans is not None:
            self._plans.close()
            self._plans = None

    def _move_in(self) -> Resident:
        self.move_out()
        site = self._site
        self._count += 1
        name = f"client-{self._count}"
        room = make_room(
            site.policy, os.path.join(site.scratch, name), f"{site.marker}-{name}", self._uid, site.limits,
            Contents({}, "", self._programs), [],
        )  # fmt: skip
        self._plans, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        out_fd, out_write = os.pipe()
        pass_fds = [theirs.detach(), out_write]
        env = {**site.environment(room), "HOTLAP_CLIENT_FDS": " ".join(map(str, pass_fds))}
        argv = [site.policy.python, os.path.join(room.own, "serving_client.py")]
        self._lines = Lines()
        self._resident = self._residents.move_in(room, argv, env, self._limit_s, pass_fds, {out_fd: self._lines.feed})
        return self._resident


def _plan(server: Server, path: str, bodies: List[Dict[str, Any]]) -> Dict[str, Any]:
    return {
        "rehearsal": None,
        "path": path,
        "host": f"127.0.0.1:{server.port}",
        "concurrency": None,
        "arrivals_s": None,
        "stream": True,
        "most_characters": 0,
        "most_bytes": 0,
        "requests": bodies,
    }


class Lines:
    """What a program in a room says, line by line; the last line is the one without `done`."""

    def __init__(self) -> None:
        self._parts: List[bytes] = []
        self.begin(lambda _done: None)

    def begin(self, on_done: OnDone) -> None:
        self._on_done = on_done
        self.last: Optional[Dict[str, Any]] = None

    def feed(self, data: bytes) -> None:
        *whole, rest = data.split(b"\n")
        for part in whole:
            line = json.loads(b"".join([*self._parts, part]))
            self._parts = []
            if "done" in line:
                self._on_done(line["done"])
            else:
                self.last = line
        if rest:
            self._parts.append(rest)
