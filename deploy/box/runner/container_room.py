"""The room that Docker or Podman makes: a fresh container of an image that the box has, for each process.

Its root is the image's, read-only. What can be written (work folder, /tmp, /dev/shm, HOME, caches) is memory with a
size, as in bubblewrap's room, and the problem's files are mounted over the work folder one by one. It has no network
but a loopback of its own, no capability, no new rights; memory and processes are bounded for all of it. On top of the
engine's own filter of system calls comes ours (seccomp.py).

The engine's command is our child; the container is not. So the work goes in through a door (container_door.py), the
kernel tells us there which process is the container's first, and to kill that one is to end the container: the engine is
only asked to remove what is left. A container whose runner died ends by itself (container_init.py), and `--rm` removes it.
"""
from __future__ import annotations

import base64
import json
import os
import re
import secrets
import selectors
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import machine_environment
from container_command import CACHE, HOME, OWN, WORK, EngineCommand
from container_door import Door
from gpus import Gpu
from protocol import BoxFailure
from sandbox_wish import ContainerSpec

if TYPE_CHECKING:
    from contained_process import Command
    from sandbox import Policy, Room

_RECORD = "container.json"
#: For one command of the engine, and for its command to end behind a container, on a busy machine.
_ENGINE_S = 30.0
#: For the engine to get a container to its first act.
_START_S = 120.0
#: The engine's own word for "it was I who failed, not the program".
_ENGINE_FAILED = 125


@dataclass
class Container:
    """One that a room is; `door` None: of a trial."""

    engine: str
    name: str
    door: Optional[Door]
    filter: Optional[bytes]
    cores: List[int]
    noise: str
    #: When, by the monotonic clock.
    _killed: Optional[float] = None

    def offer(self, command: Command, rlimits: Dict[str, int], on_first: Any) -> None:
        """Lays the work behind the door; the command's descriptors are the door's to close from here on."""
        assert self.door is not None
        fds, command.pass_fds[:] = list(command.pass_fds), []
        work = {
            "argv": command.argv,
            "env": command.env,
            "inherit": machine_environment.NAMES,
            "fds": fds,
            "cwd": WORK,
            "rlimits": rlimits,
            "cores": self.cores,
            "filter": base64.b64encode(self.filter or b"").decode(),
        }
        self.door.offer(work, list(fds), on_first)

    @property
    def was_killed(self) -> bool:
        return self._killed is not None

    @property
    def is_over(self) -> bool:
        """The program has ended or was killed; the engine's command may not know it yet."""
        return self.was_killed or (self.door is not None and self.door.ended is not None)

    def deadline(self, started: float, timeout_s: float) -> float:
        """Until when what is going on may last: the engine's work before and behind the program is not the program's."""
        assert self.door is not None
        if self._killed is not None:
            return self._killed + _ENGINE_S
        if self.door.ended is not None:
            return self.door.ended + _ENGINE_S
        return self.door.began + timeout_s if self.door.began is not None else started + _START_S

    def spent_s(self) -> float:
        if self.door is None or self.door.began is None:
            return 0.0
        return (self.door.ended or self._killed or time.monotonic()) - self.door.began

    def check(self, exit_code: Optional[int], errors: str) -> None:
        """Raises BoxFailure where the engine failed and not the program. `exit_code` None: it was killed."""
        if self.door is not None and self.door.began is None and self.was_killed:
            raise BoxFailure("sandbox-failed", f"{self.engine} started no container within {_START_S:.0f} s")
        if self.has_failed(exit_code):
            raise BoxFailure("sandbox-failed", f"{self.engine} failed: {errors[-500:].strip()}")

    def kill(self) -> None:
        """Ends everything in it; the engine's command ends by itself then."""
        if self._killed is None:
            self._killed = time.monotonic()
        first = self.door.first if self.door is not None else 0
        if first:
            try:
                os.kill(first, signal.SIGKILL)
                return
            except ProcessLookupError:
                return
            except PermissionError:
                pass
        self.remove()

    def watch(self, selector: selectors.BaseSelector) -> None:
        assert self.door is not None
        self.door.watch(selector)

    def end(self, status: Optional[int]) -> None:
        """To be called when its command has ended, with its status (None: it did not). Raises BoxFailure."""
        if self.door is not None and self.door.first:
            self.door.listen()
        if status is None or not os.WIFEXITED(status) or self.has_failed(os.WEXITSTATUS(status)):
            self.kill()
            self.remove()
        if self.door is not None and not self.door.wait_until_first_is_dead(_ENGINE_S):
            raise BoxFailure("sandbox-failed", f"the container {self.name} could not be ended")

    def has_failed(self, exit_code: Optional[int]) -> bool:
        """Whether the engine failed and not the program, which may end with any code."""
        return exit_code == _ENGINE_FAILED and (self.door is None or self.door.exceeded is None)

    def without_noise(self, errors: str) -> str:
        return errors[len(self.noise) :] if self.noise and errors.startswith(self.noise) else errors

    @property
    def exceeded(self) -> List[str]:
        return (self.door.exceeded if self.door is not None else None) or []

    def remove(self) -> None:
        """Makes sure that the engine keeps nothing of it."""
        remove(self.engine, self.name)

    def close(self) -> None:
        if self.door is not None:
            self.door.close()


def fill(room: Room, policy: Policy, files: Optional[str], devices: List[str], gpus: Optional[List[Gpu]]) -> None:
    """Turns `room`, with its `own` folder and the problem's `files` on disk, into a container. Raises OSError.

    `files` None: a trial, without files of any kind. `gpus` None: all that there are.
    """
    name = f"hotlap-{os.path.basename(room.folder or 'trial')}-{secrets.token_hex(8)}"
    command = EngineCommand(policy.kind, policy.engine, name, room.entry)
    container = Container(policy.engine, name, None, policy.syscall_filter, command.cores, policy.noise)
    mounts: List[Tuple[str, str]] = []
    program = ["-c"]
    if files is not None:
        assert room.folder is not None
        mounts = [(os.path.join(files, file), f"{WORK}/{file}") for file in sorted(os.listdir(files))]
        mounts.append((room.own, OWN))
        for path, text in command.accounts().items():
            source = os.path.join(room.folder, os.path.basename(path))
            with open(source, "x", encoding="ascii") as out:
                out.write(text)
            os.chmod(source, 0o444)
            mounts.append((source, path))
        container.door = Door(os.path.join(room.own, "door"), room.entry.uid)
        program = [f"{OWN}/container_init.py", f"{OWN}/door"]
        with open(os.path.join(room.folder, _RECORD), "x", encoding="ascii") as out:
            json.dump({"engine": policy.engine, "name": name}, out)
    room.argv = command.argv(mounts, devices, gpus, [policy.python, policy.image, *program])
    room.container = container
    room.work, room.home, room.tmp, room.cache, room.own, room.cwd = WORK, HOME, "/tmp", CACHE, OWN, "/"


def find_engine(kind: str) -> Optional[str]:
    return shutil.which(kind, path=os.environ.get("PATH", "") + ":/usr/bin:/usr/local/bin")


def find_fault(engine: str, wish: ContainerSpec) -> Optional[str]:
    """What keeps the image from being used at all, in words."""
    asked = _ask(engine, "image", "inspect", "--format", "{{json .Config.Volumes}}", wish.image)
    if asked is None:
        return f"{wish.engine} does not answer within {_ENGINE_S:.0f} s"
    if asked.returncode != 0:
        said = asked.stderr.decode("utf-8", "replace").strip()[-300:]
        if re.search("no such image|not known", said, re.I):
            return f"{wish.engine} has no image {wish.image} here; bring it with: {wish.engine} pull {wish.image}"
        return f"{wish.engine} cannot be used by this user: {said}"
    try:
        volumes = sorted(json.loads(asked.stdout) or {})
    except ValueError:
        volumes = []
    if volumes and wish.engine == "docker":
        return (
            f"the image {wish.image} declares volumes ({', '.join(volumes)}), which jobs could fill the disk through; "
            "make one without VOLUME"
        )
    return None


def _ask(*command: str) -> Optional["subprocess.CompletedProcess[bytes]"]:
    """None when it cannot be started or takes too long."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=_ENGINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def remove(engine: str, name: str) -> None:
    """Ends and removes a container; one that is not there is fine. Never raises."""
    _ask(engine, "rm", "--force", name)


def remove_left_over(scratch: str) -> None:
    """Those of a dead supervisor."""
    try:
        rooms = os.listdir(scratch)
    except OSError:
        return
    for room in rooms:
        try:
            with open(os.path.join(scratch, room, _RECORD), encoding="ascii") as file:
                record = json.load(file)
        except (OSError, ValueError):
            continue
        remove(record["engine"], record["name"])
