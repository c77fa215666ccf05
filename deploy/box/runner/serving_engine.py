"""Where on this machine the pristine engine and the model are.

The engine is the package that a Python here can find, the model a folder of files. Both are the organiser's, both are
shown to rooms read-only and in their own places, so the job's user must be able to read them. What is missing is the
box's fault, never the submission's.
"""
from __future__ import annotations

import glob
import json
import os
import shutil
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from protocol import BoxFailure
from serving_spec import EngineSpec
from tools import folders_of_tool, is_within_reach

#: Prints the package's folder, if there is one; imports nothing of it.
ASK = (
    "import importlib.util, json, os, sys\n"
    "found = importlib.util.find_spec(sys.argv[1])\n"
    "place = list(found.submodule_search_locations or []) if found else []\n"
    "print(json.dumps({'folder': os.path.abspath(place[0]) if place else None}))\n"
)
_MODEL_FOLDERS = ("/models", "/opt/models", "/srv/models")


@dataclass(frozen=True)
class Engine:
    spec: EngineSpec
    python: str
    #: Of the installed package; None for an engine that has none.
    location: Optional[str]
    #: What its rooms are shown beside the system.
    folders: Tuple[str, ...]


@dataclass(frozen=True)
class Model:
    #: As the server is told: a folder.
    path: str
    folders: Tuple[str, ...]


def list_pythons(spec: EngineSpec, own: str) -> List[str]:
    """Where to look for the engine, in this order: the profile's places, the job's Python, those on the PATH."""
    named = [path for pattern in spec.pythons for path in sorted(glob.glob(pattern))]
    others = [own, shutil.which("python3") or "", "/usr/bin/python3"]
    return [path for path in dict.fromkeys([*named, *others]) if path and os.access(path, os.X_OK)]


def read_answer(text: str) -> Optional[str]:
    """The folder that a Python named, if it did."""
    try:
        answer: Any = json.loads(text)
    except ValueError:
        return None
    folder = answer.get("folder") if isinstance(answer, dict) else None
    return folder if isinstance(folder, str) else None


def engine_at(spec: EngineSpec, python: str, location: Optional[str]) -> Engine:
    folders = folders_of_tool(python)
    if location is not None and not any(location.startswith(f"{folder}/") for folder in ["/usr", "/opt", *folders]):
        folders.append(os.path.dirname(location))
    return Engine(spec, python, location, tuple(dict.fromkeys(folders)))


def no_engine(spec: EngineSpec, tried: List[str]) -> BoxFailure:
    places = ", ".join(tried) or "no Python"
    return BoxFailure("tool-missing", f"the engine {spec.name} (package {spec.package}) is not installed here; tried {places}")


def find_model(name: str, root: str) -> Model:
    """`name`: a folder, or the public name of a model, looked for where models are kept. Raises BoxFailure."""
    places = [name] if name.startswith("/") else []
    repository = "models--" + name.replace("/", "--")
    for folder in () if places else (os.path.join(root, "models"), *_MODEL_FOLDERS):
        places += [os.path.join(folder, name), os.path.join(folder, name.rpartition("/")[2])]
        for cache in (folder, os.path.join(folder, "hub")):
            # As the hub's client keeps them; the newest snapshot.
            snapshots = glob.glob(os.path.join(cache, repository, "snapshots", "*"))
            places += sorted(snapshots, key=os.path.getmtime, reverse=True)
    for path in places:
        if not os.path.isdir(path):
            continue
        if not is_within_reach(path):
            raise BoxFailure("tool-missing", f"the model in {path} cannot be read by everybody, and so not by a job")
        parts = path.split("/")
        # A snapshot is links to the files beside it.
        whole = path if "snapshots" not in parts else "/".join(parts[: parts.index("snapshots")])
        return Model(path, tuple(dict.fromkeys([os.path.realpath(whole), whole])))
    raise BoxFailure("tool-missing", f"the model {name} is not on this machine; looked in {', '.join(places)}")


def server_command(spec: EngineSpec, fills: Dict[str, str], more: List[str]) -> List[str]:
    """The words of the profile with what is known filled in; `{args}` stands for the task's own arguments."""
    words: List[str] = []
    for word in spec.serve:
        if word == "{args}":
            words += more
            continue
        for name, value in fills.items():
            word = word.replace("{%s}" % name, value)
        words.append(word)
    return words
