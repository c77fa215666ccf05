"""A model server in a room, from its room to its end: the runner's side of serving_launcher.py."""
from __future__ import annotations

import json
import os
import socket
from typing import Any, Dict, List, Optional

from contained_process import Tail
from job_site import JobSite
from protocol import OUTPUT_CHARACTERS
from sandbox import Contents, make_room
from serving_engine import Engine, Model, server_command
from serving_residents import Resident, Residents

PROGRAMS = ("serving_launcher", "serving_install", "serving_unpack")
#: Nothing is fetched and nobody is told, network or not; and there is one address, so that none need be looked for.
OFFLINE = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1", "TOKENIZERS_PARALLELISM": "false",
    "VLLM_HOST_IP": "127.0.0.1",
}  # fmt: skip
_MESSAGE_BYTES = 65_536


class ServerFailed(Exception):
    """The server or what it is made from; `summary` is a sentence. Whose fault it is depends on whose server it is."""

    def __init__(self, summary: str, kind: str = "crash") -> None:
        super().__init__(summary)
        self.summary = summary
        self.kind = kind


class Server:
    def __init__(self, site: JobSite, residents: Residents, name: str, programs: Dict[str, bytes]) -> None:
        self._site = site
        self._residents = residents
        self._name = name
        self._programs = programs
        self._resident: Optional[Resident] = None
        self._said: List[Dict[str, Any]] = []
        self._control: Optional[socket.socket] = None
        self._dial: Optional[socket.socket] = None
        self.port = 0

    def move_in(
        self, engine: Engine, model: Model, more: Dict[str, str], arguments: List[str], archive_fd: Optional[int], limit_s: float
    ) -> None:
        """Makes the room and starts the launcher. `more`: fills for the command. Takes `archive_fd` over."""
        site = self._site
        contents = Contents({}, "", self._programs, tuple(dict.fromkeys([*engine.folders, *model.folders])))
        room = make_room(
            site.policy,
            os.path.join(site.scratch, self._name),
            f"{site.marker}-{self._name}",
            site.uid,
            site.limits,
            contents,
            site.gpus,
        )
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._dial, their_dial = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        order = {
            "folder": os.path.join(room.tmp, "engine"),
            "package": engine.spec.package,
            "location": engine.location,
            "python": engine.python,
            "serve": server_command(engine.spec, {**more, "model": model.path}, arguments),
            "health": engine.spec.health,
        }
        order_fd = hand_in(json.dumps(order).encode(), site.scratch)
        archive = [] if archive_fd is None else [archive_fd]
        pass_fds = [order_fd, theirs.detach(), their_dial.detach(), *archive]
        env = {**site.environment(room), **OFFLINE, "HF_HOME": os.path.join(room.cache, "huggingface")}
        env["HOTLAP_SERVING_FDS"] = " ".join(map(str, [*pass_fds, *([] if archive else [-1])]))
        argv = [site.policy.python, os.path.join(room.own, "serving_launcher.py")]
        control_fd = os.dup(self._control.fileno())
        self._resident = self._residents.move_in(room, argv, env, limit_s, pass_fds, {control_fd: self._on_message})

    def install(self, deadline: float) -> str:
        """How it was done. Raises ServerFailed, TimedOut, Cancelled."""
        self._tell("install")
        answer = self._wait_for(("installed", "refused"), deadline, "while it was installed")
        if answer["said"] == "refused":
            raise ServerFailed(str(answer.get("why"))[:500])
        return str(answer.get("how"))

    def start(self, deadline: float) -> None:
        """Returns when it says that it is healthy. Raises ServerFailed, TimedOut, Cancelled."""
        self._tell("serve")
        answer = self._wait_for(("healthy", "not-started"), deadline, "before it was ready")
        if answer["said"] == "not-started":
            raise ServerFailed(f"The server could not be started: {str(answer.get('why'))[:300]}.")
        port = answer.get("port")
        self.port = port if isinstance(port, int) and 0 < port < 65536 else 0

    def dial_fd(self) -> int:
        """Whoever holds it may ask for connections to the server."""
        assert self._dial is not None
        return self._dial.fileno()

    def find_end(self) -> Optional[str]:
        """What ended it, if it ended."""
        ended = self._take(("ended",))
        if ended is not None:
            self._said.append(ended)
            number = ended.get("signal")
            return f"exit code {ended.get('code')}" if number is None else f"signal {number}"
        if self._resident is not None and not self._resident.is_alive:
            exceeded = self._resident.room.read_exceeded()
            return f"the limit on {exceeded[0]}" if exceeded else self._resident.how_it_ended()
        return None

    def read_exceeded(self) -> List[str]:
        return self._resident.room.read_exceeded() if self._resident is not None else []

    def output(self) -> Tail:
        return self._resident.stdout if self._resident is not None else Tail()

    def errors(self) -> Tail:
        return self._resident.stderr if self._resident is not None else Tail()

    def move_out(self) -> None:
        if self._resident is not None:
            self._residents.move_out(self._resident)
        for end in (self._control, self._dial):
            if end is not None:
                end.close()
        self._control = self._dial = None

    def _tell(self, what: str) -> None:
        assert self._control is not None
        try:
            self._control.send(json.dumps({"do": what}).encode())
        except OSError:
            pass  # The next wait finds out what ended it.

    def _on_message(self, data: bytes) -> None:
        try:
            message = json.loads(data)
        except ValueError:
            return
        if isinstance(message, dict) and len(self._said) < 100:
            self._said.append(message)

    def _take(self, kinds: "tuple[str, ...]") -> Optional[Dict[str, Any]]:
        for message in self._said:
            if message.get("said") in kinds:
                self._said.remove(message)
                return message
        return None

    def _wait_for(self, kinds: "tuple[str, ...]", deadline: float, when: str) -> Dict[str, Any]:
        found: List[Dict[str, Any]] = []

        def is_done() -> bool:
            message = self._take(kinds)
            if message is not None:
                found.append(message)
            return bool(found) or self.find_end() is not None

        self._residents.wait(is_done, deadline)
        if not found:
            raise ServerFailed(f"The server ended {when}, with {self.find_end()}.")
        return found[0]


def hand_in(data: bytes, folder: str) -> int:
    """A descriptor to read `data` from, of any size; nothing is left on a disk."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("plan")
    else:
        path = os.path.join(folder, "plan")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.unlink(path)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def tail_of(server: Server) -> str:
    """What it last said, for whoever has to find out why it failed."""
    parts = [text.strip() for text in (server.output().text(), server.errors().text()) if text.strip()]
    return "\n".join(parts)[-OUTPUT_CHARACTERS:]
