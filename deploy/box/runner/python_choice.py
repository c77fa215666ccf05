"""Which Python runs the jobs, and whether the sandbox works: both are found out by running one in the other.

The first `python3` on PATH may live in a home that the sandbox user can't enter. Of the interpreters that do run, the
first with torch wins, else the first.
"""
from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple, Union

import cgroup
import container_room
import sandbox
from protocol import BoxFailure
from sandbox_wish import ContainerSpec
from seccomp import build_filter

#: torch is not imported: that takes seconds, and its version file says the same.
_ASK = r"""
import importlib.util, json, os, platform, re, shutil, subprocess, sys
found = {"python": platform.python_version(), "executable": sys.executable, "new": sys.version_info >= (3, 8),
         "torch": None, "cuda": None, "hip": None, "tools": {}, "nvcc": None}
try:
    spec = importlib.util.find_spec("torch")
    path = os.path.join(os.path.dirname(spec.origin), "version.py")
    text = open(path, encoding="utf-8").read()
    for key, name in (("torch", "__version__"), ("cuda", "cuda"), ("hip", "hip")):
        match = re.search(r"^%s\b[^=\n]*=\s*['\"]([^'\"]*)['\"]" % name, text, re.M)
        found[key] = match.group(1) if match else None
except Exception:
    pass
if "tools" in sys.argv:
    path = os.environ.get("PATH", "") + ":/usr/local/cuda/bin:/opt/rocm/bin"
    found["tools"] = {name: shutil.which(name, path=path) for name in ("nvcc", "ncu", "rocprofv3")}
    if found["tools"]["nvcc"]:
        text = subprocess.run([found["tools"]["nvcc"], "--version"], stdout=subprocess.PIPE).stdout.decode()
        match = re.search(r"release ([\d.]+)", text)
        found["nvcc"] = match.group(1) if match else None
print(json.dumps(found))
"""
_TRIAL_S = 5.0
#: The first container of an image may have to be unpacked.
_CONTAINER_TRIAL_S = 60.0


@dataclass(frozen=True)
class JobPython:
    path: str
    version: str
    torch: Optional[str]
    cuda: Optional[str]
    hip: Optional[str]
    #: Of a container alone: compiler and profilers beside it, name -> path, None where it is missing.
    tools: Dict[str, Optional[str]]
    nvcc: Optional[str]


@dataclass(frozen=True)
class Choice:
    policy: sandbox.Policy
    python: JobPython
    #: Why there is no sandbox.
    problem: Optional[str]
    #: Why the limits are those of single processes only.
    limits_problem: Optional[str]


def choose(sandbox_wish: Union[str, ContainerSpec] = "auto") -> Choice:
    """Tries the sandbox with each Python, then without it; a container with its own Python alone.

    Without a sandbox the policy's kind is `none`. Raises BoxFailure when no Python runs at all.
    """
    if isinstance(sandbox_wish, ContainerSpec):
        contained = _choose_container(sandbox_wish)
        if not isinstance(contained, str):
            return Choice(contained[0], contained[1], None, None)
        return dataclasses.replace(choose("off"), problem=contained)
    home, limits_problem = cgroup.find_home()
    problem: Optional[str] = "the job asked for none"
    found: Optional[Tuple[sandbox.Policy, JobPython]] = None
    if sandbox_wish != "off":
        found, problem = _choose_sandboxed(home)
    if found is None:
        answer = _choose_from([sandbox.Policy("none", python=path, home=home) for path in _candidates()])
        if isinstance(answer, str):
            raise BoxFailure("sandbox-failed", f"no python3 runs here for an ordinary user: {answer}")
        found = answer
    return Choice(found[0], found[1], problem, limits_problem or None)


def _choose_sandboxed(home: Optional[cgroup.Home]) -> Tuple[Optional[Tuple[sandbox.Policy, JobPython]], Optional[str]]:
    if not sys.platform.startswith("linux"):
        return None, "bubblewrap needs Linux"
    bwrap = shutil.which("bwrap", path=os.environ.get("PATH", "") + ":/usr/bin:/usr/local/bin")
    if bwrap is None:
        return None, "bubblewrap (bwrap) is not installed"
    try:
        options = sandbox.find_bwrap_options(bwrap)
    except BoxFailure as failure:
        return None, failure.message
    found: Union[Tuple[sandbox.Policy, JobPython], str] = "there is none"
    # A kernel without seccomp still has namespaces.
    for syscall_filter in dict.fromkeys((build_filter(), None)):
        found = _choose_from(
            [
                sandbox.Policy("bwrap", bwrap, options, path, _folders_of(path), syscall_filter, home)
                for path in _candidates()
            ]
        )
        if not isinstance(found, str):
            return found, None
    return None, f"the trial run of bubblewrap failed: {found}"


def _choose_container(wish: ContainerSpec) -> Union[Tuple[sandbox.Policy, JobPython], str]:
    """The image's `python3`, by a trial; or what is wrong."""
    engine = container_room.find_engine(wish.engine)
    if engine is None:
        return f"{wish.engine} is not installed"
    problem = container_room.find_fault(engine, wish)
    if problem:
        return problem
    policy = sandbox.Policy(
        wish.engine, python="python3", engine=engine, image=wish.image, syscall_filter=build_filter()
    )
    room = sandbox.make_trial_room(policy)
    assert room.container is not None
    try:
        ended = subprocess.run(
            [*room.argv, _ASK, "tools"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=_CONTAINER_TRIAL_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        room.container.remove()
        return f"the trial run of {wish.engine} failed: {error}"
    answer = _read_answer(policy.python, ended)
    if isinstance(answer, str):
        return f"the trial run of {wish.engine} with {wish.image} failed: {answer}"
    noise = ended.stderr.decode("utf-8", "replace")
    return dataclasses.replace(policy, python=answer.path, noise=noise, tools=answer.tools), answer


def _choose_from(policies: List[sandbox.Policy]) -> Union[Tuple[sandbox.Policy, JobPython], str]:
    first = None
    problem = "there is none"
    for policy in policies:
        answer = _ask(policy)
        if isinstance(answer, str):
            problem = answer
            continue
        if answer.torch is not None:
            return policy, answer
        first = first or (policy, answer)
    return first or problem


def _candidates() -> List[str]:
    paths = [sys.executable, shutil.which("python3"), "/usr/bin/python3", "/usr/local/bin/python3"]
    return [path for i, path in enumerate(paths) if path and os.path.exists(path) and path not in paths[:i]]


def _folders_of(python: str) -> Tuple[str, ...]:
    """The folders outside the system's that an interpreter needs: its own prefix and the one that it links to."""
    folders: List[str] = []
    for path in (python, os.path.realpath(python)):
        prefix = os.path.dirname(os.path.dirname(path))
        known = prefix == "/" or prefix in folders or prefix.split("/")[1] in ("usr", "opt", "nix", "bin")
        if not known:
            folders.append(prefix)
    return tuple(folders)


def _ask(policy: sandbox.Policy) -> Union[JobPython, str]:
    """The answer of the policy's Python as JobPython, or what went wrong as text."""
    room = None
    try:
        room = sandbox.make_trial_room(policy)
        uid = room.entry.uid
        options = {"user": uid, "group": uid, "extra_groups": []} if uid is not None else {}
        ended = subprocess.run(
            [*room.argv, policy.python, "-c", _ASK],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=tuple(room.pass_fds),
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            timeout=_TRIAL_S,
            check=False,
            **options,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    finally:
        if room is not None:
            room.leave()
    answer = _read_answer(policy.python, ended)
    # The path that it was found under, not the one that it knows itself by.
    return answer if isinstance(answer, str) else dataclasses.replace(answer, path=policy.python)


def _read_answer(python: str, ended: "subprocess.CompletedProcess[bytes]") -> Union[JobPython, str]:
    try:
        found = json.loads(ended.stdout)
    except ValueError:
        return ended.stderr.decode("utf-8", "replace").strip()[-300:] or f"exit code {ended.returncode}"
    if not found["new"]:
        return f"{python} is Python {found['python']}, 3.8 is the oldest that will do"
    return JobPython(found["executable"], found["python"], found["torch"], found["cuda"], found["hip"], found["tools"], found["nvcc"])
