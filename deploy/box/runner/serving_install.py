"""From a submitted archive to an engine that can be started, inside the room, on a throw-away copy.

    overlay   the archive holds the engine's Python package: the installed package is copied and the archive's files are
              laid over the copy, which comes first on PYTHONPATH. Large files (compiled libraries) are linked, not
              copied. The installed one is read-only here, so that there is nothing to restore.
    build     it holds C, C++ or CUDA sources below `csrc` as well: pip builds it, without network and without
              dependencies, into a folder that comes first on PYTHONPATH
    tree      the engine needs no installed package: the archive is the engine, as it is

All of it is memory of this room and goes with it.

This file is copied as it is and imports nothing of the runner.
"""
import os
import shutil
import subprocess

import serving_unpack

#: Larger files of the installed package are linked.
_COPIED_BYTES = 1 << 20
_NATIVE = (".c", ".cc", ".cpp", ".cxx", ".cu", ".cuh", ".h", ".hpp")
#: Of packers on macOS and Windows; they say nothing of the tree.
_CHAFF = ("__MACOSX", ".DS_Store")


class Installed:
    def __init__(self, how, tree, first, start):
        #: `overlay`, `build` or `tree`
        self.how = how
        #: Where the archive's own top is.
        self.tree = tree
        #: Goes first on PYTHONPATH; empty where nothing does.
        self.first = first
        #: Where the server is started. `python -m` looks for modules there before anywhere else: were it the archive's
        #: top, the fork's own folder would hide the copy that it was laid over.
        self.start = start


class Refused(Exception):
    """The submission's fault, in a sentence. What the tools said is in the room's output."""


def install(source, folder, package, location, python, env):
    """`location` is the folder of the installed package. Raises Refused."""
    tree = os.path.join(folder, "tree")
    os.mkdir(tree)
    try:
        serving_unpack.unpack(source, tree)
    except serving_unpack.Unusable as error:
        raise Refused("The archive cannot be used: %s." % error) from error
    top = _top(tree)
    if package is None:
        return Installed("tree", top, "", top)
    site, start = os.path.join(folder, "site"), os.path.join(folder, "start")
    os.mkdir(site)
    os.mkdir(start)
    fork = os.path.join(top, package)
    if not os.path.isdir(fork):
        raise Refused("The archive has no folder `%s/` below its top folder: `%s-fork/%s/` is the shape." % ((package,) * 3))
    if _has_native_sources(os.path.join(top, "csrc")):
        _build(top, site, start, python, env)
        how = "build"
    else:
        _copy_installed(location, os.path.join(site, package))
        _lay_over(fork, os.path.join(site, package))
        how = "overlay"
    _try_import(package, site, start, python, env)
    return Installed(how, top, site, start)


def _top(tree):
    entries = [name for name in os.listdir(tree) if name not in _CHAFF and not name.startswith("._")]
    only = os.path.join(tree, entries[0]) if len(entries) == 1 else ""
    return only if only and os.path.isdir(only) and not os.path.islink(only) else tree


def _has_native_sources(folder):
    return any(name.endswith(_NATIVE) for _, _, names in os.walk(folder) for name in names)


def _copy_installed(location, target):
    for folder, below, names in os.walk(location):
        below[:] = [name for name in below if name != "__pycache__"]
        here = os.path.join(target, os.path.relpath(folder, location))
        os.makedirs(here, exist_ok=True)
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.stat(path).st_size <= _COPIED_BYTES:
                shutil.copyfile(path, os.path.join(here, name))
            else:
                os.symlink(path, os.path.join(here, name))


def _lay_over(fork, target):
    for folder, below, names in os.walk(fork):
        below[:] = [name for name in below if name != "__pycache__"]
        here = os.path.join(target, os.path.relpath(folder, fork))
        if os.path.lexists(here) and not os.path.isdir(here):
            os.unlink(here)
        os.makedirs(here, exist_ok=True)
        for name in names:
            path, place = os.path.join(folder, name), os.path.join(here, name)
            if os.path.isdir(place) and not os.path.islink(place):
                shutil.rmtree(place)
            elif os.path.lexists(place):
                os.unlink(place)
            if os.path.islink(path):
                os.symlink(os.readlink(path), place)
            else:
                shutil.copy(path, place)


def _build(top, site, start, python, env):
    argv = [python, "-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation", "--no-input"]
    argv += ["--disable-pip-version-check", "--target", site, top]
    # The version comes from the history of the repository otherwise, which an archive does not have.
    env = dict(env, SETUPTOOLS_SCM_PRETEND_VERSION="0.0.1.dev0", PIP_NO_CACHE_DIR="1", MAX_JOBS=str(_cores()))
    code = _run(argv, env, start)
    if code != 0:
        raise Refused("The fork could not be built: pip ended with exit code %d. Unless you changed `csrc/`, leave it out." % code)


def _try_import(package, site, start, python, env):
    code = _run([python, "-c", "import " + package], dict(env, PYTHONPATH=site), start)
    if code != 0:
        raise Refused("The fork cannot be imported: `import %s` ended with exit code %d." % (package, code))


def _run(argv, env, folder):
    # Its output is the room's, which the runner drains: a build may print more than anybody wants to hold.
    return subprocess.run(argv, stdin=subprocess.DEVNULL, env=env, cwd=folder, check=False).returncode


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
