"""Runs an unmodified evaluation program inside its room.

    python3 launcher.py <main> <mode> <case file> <cache folder>

It stays outside the problem's files and prepares the process before any of the participant's code runs:

- the secret seed comes through an inherited pipe and goes only into Python's own view of the environment, so that it
  is in nobody's initial environment, neither this process's nor a child's;
- the process is closed to its peers (/proc entries, ptrace), since a worker runs under the same user;
- what a worker sends back is unpickled from an allow-list: a reply must not run code here;
- modules of the problem come from its files by name, everything else from where it always came from, and the working
  directory last: a file that a worker writes there cannot stand in for a module that is imported later;
- a pool worker that dies is reported on a control pipe, because multiprocessing.Pool itself would wait for ever.

This file is copied as it is and imports nothing of the runner.
"""
import ctypes
import dataclasses
import enum
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import pickle
import sys
import threading
import types


class TaskFinder(importlib.abc.MetaPathFinder):
    """Finds the problem's own top-level modules, and only in the files that the problem listed."""

    def __init__(self, folder):
        self.modules = {}
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if name.endswith(".py"):
                self.modules[name[:-3]] = (path, None)
            elif os.path.isfile(os.path.join(path, "__init__.py")):
                self.modules.setdefault(name, (os.path.join(path, "__init__.py"), [path]))

    def find_spec(self, fullname, path=None, target=None):
        if path is not None or fullname not in self.modules:
            return None
        location, children = self.modules[fullname]
        return importlib.util.spec_from_file_location(
            fullname, location, loader=SourceOnly(fullname, location), submodule_search_locations=children
        )


class SourceOnly(importlib.machinery.SourceFileLoader):
    """Never reads a .pyc: Python trusts one that says so, whatever the source has become."""

    def get_code(self, fullname):
        path = self.get_filename(fullname)
        return compile(self.get_data(path), path, "exec", dont_inherit=True)


class RefusedObject(RuntimeError):
    """Stands for whatever a worker sent that is neither plain data nor a known exception."""

    def __init__(self, *args, **_named):
        super().__init__(*args)


PLAIN = {
    "builtins": {
        "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range",
        "set", "slice", "str", "tuple",
    },
    "collections": {"Counter", "OrderedDict", "defaultdict", "deque"},
    "copyreg": {"_reconstructor", "__newobj__"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "multiprocessing.pool": {"MaybeEncodingError", "RemoteTraceback", "rebuild_exc"},
    "concurrent.futures.process": {"_RemoteTraceback", "_ResultItem", "_rebuild_exc"},
    "numpy": {"dtype", "ndarray"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "torch": {"Size", "device"},
}


def enum_member(kind, name):
    """What `getattr` means in a reply: some versions of Python send a member of an enumeration that way."""
    if isinstance(kind, enum.EnumMeta) and name in kind.__members__:
        return kind[name]
    raise pickle.UnpicklingError("getattr was sent")


class ReplyUnpickler(pickle._Unpickler):
    """The pure Python unpickler, because the C one offers no way to guard BUILD."""

    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module, name):
        if (module, name) == ("builtins", "getattr"):
            return enum_member
        found = self.look_up(module, name)
        if found is not None and self.is_harmless(module, name, found):
            return found
        return type(name.rpartition(".")[2] or "Object", (RefusedObject,), {"__module__": module})

    @staticmethod
    def look_up(module, name):
        # Never an import: importing runs code, and which code is for the sender to choose.
        found = sys.modules.get("__main__" if module == "__mp_main__" else module)
        for part in name.split("."):
            found = getattr(found, part, None)
        return found

    @staticmethod
    def is_harmless(module, name, found):
        if name in PLAIN.get(module, ()):
            return True
        if not isinstance(found, type):
            return type(found).__module__ == "torch" and type(found).__name__ == "dtype"
        if issubclass(found, BaseException):
            return True
        is_record = dataclasses.is_dataclass(found) or issubclass(found, (enum.Enum, tuple))
        return is_record and found.__module__ in OWN_MODULES

    def load_build(self):
        # With a class or function below the state, BUILD would set attributes on the harness itself.
        if isinstance(self.stack[-2], (type, types.FunctionType, types.ModuleType)):
            raise pickle.UnpicklingError("the state of a class was sent")
        pickle._Unpickler.load_build(self)

    dispatch[pickle.BUILD[0]] = load_build


OWN_MODULES = {"__main__", "__mp_main__"}


def load_reply(data, *_args, **_named):
    try:
        return ReplyUnpickler(io.BytesIO(bytes(data))).load()
    except Exception:
        if threading.current_thread() is threading.main_thread():
            raise
        # In the pool's thread the exception would end the thread and leave the program waiting.
        sys.excepthook(*sys.exc_info())
        leave("reply-refused 1", 1)


def leave(message, code):
    os.write(CONTROL_FD, (message + "\n").encode())
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    os._exit(code)


CONTROL_FD = -1


def guard_replies():
    from multiprocessing import reduction

    original = reduction.ForkingPickler.loads
    reduction.ForkingPickler.loads = staticmethod(load_reply)

    def in_forked_child():
        # Children receive work, functions included, from this process, which they may trust.
        reduction.ForkingPickler.loads = staticmethod(original)

    os.register_at_fork(after_in_child=in_forked_child)


def watch_pools():
    """Reports a pool worker's death. A worker that ends when the pool is closed or by maxtasksperchild is no death."""
    from multiprocessing import pool as pools

    maintain = getattr(pools.Pool, "_maintain_pool", None)
    terminate = pools.Pool.__dict__.get("_terminate_pool")
    if maintain is None or not isinstance(terminate, classmethod):
        return
    owner = os.getpid()
    ending = set()

    def is_pool_running(workers):
        return getattr(threading.current_thread(), "_state", None) == pools.RUN and id(workers) not in ending

    def watched_maintain(ctx, process, count, workers, inqueue, outqueue, initializer, initargs, per_child, wrap):
        known = list(workers)
        look_for_deaths(workers, known, per_child)
        # One that dies between our look and the pool's own is replaced by the pool, and missing afterwards.
        maintain(ctx, process, count, workers, inqueue, outqueue, initializer, initargs, per_child, wrap)
        look_for_deaths(workers, [worker for worker in known if worker not in workers], per_child)

    def look_for_deaths(workers, suspects, per_child):
        codes = [worker.exitcode for worker in suspects]
        # The state is read after the exit codes: a worker ended by terminate() is then never counted.
        if os.getpid() == owner and is_pool_running(workers):
            for code in codes:
                if code is not None and (code != 0 or per_child is None):
                    leave("worker-died %d" % code, 1)

    def watched_terminate(cls, taskqueue, inqueue, outqueue, workers, *rest):
        ending.add(id(workers))
        return terminate.__func__(cls, taskqueue, inqueue, outqueue, workers, *rest)

    pools.Pool._maintain_pool = staticmethod(watched_maintain)
    pools.Pool._terminate_pool = classmethod(watched_terminate)


def put_task_first_in_workers(folder):
    """A spawned worker gets the module path of a plain `python3 eval.py`: the task's folder first."""
    from multiprocessing import spawn

    original = spawn.get_preparation_data

    def prepared(name):
        data = original(name)
        data["sys_path"] = [folder] + [entry for entry in data["sys_path"] if entry != folder]
        return data

    spawn.get_preparation_data = prepared


def read_launch_pipe():
    with os.fdopen(int(os.environ.pop("HOTLAP_LAUNCH_FD")), "r") as pipe:
        control, seed = pipe.read().split("\n")[:2]
    return int(control), seed


def fill_cache(folder):
    fd = os.environ.pop("HOTLAP_CACHE_IN", "")
    if fd:
        # From beside this file; imported only when there is something to unpack.
        import cache_pack

        cache_pack.unpack(int(fd), folder)


def go_first_when_memory_runs_out():
    """Should the machine have none left: we and our children, not the supervisor and not the SSH server."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass


def set_seed(seed):
    try:
        environ = os.environ
        environ._data[environ.encodekey("POPCORN_SEED")] = environ.encodevalue(seed)
    except AttributeError:
        os.environ["POPCORN_SEED"] = seed


def hide_own_frames(kind, error, trace):
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


def main():
    global CONTROL_FD
    CONTROL_FD, seed = read_launch_pipe()
    os.set_inheritable(CONTROL_FD, False)
    if sys.platform.startswith("linux"):
        go_first_when_memory_runs_out()
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
    if seed:
        set_seed(seed)
    folder = os.getcwd()
    # Which files are the problem's is settled before anything of the participant's making is unpacked.
    finder = TaskFinder(folder)
    fill_cache(sys.argv.pop())
    sys.argv = sys.argv[1:]
    path = os.path.join(folder, sys.argv[0])
    OWN_MODULES.update(finder.modules)
    sys.path[0:1] = []
    sys.path.append(folder)
    sys.meta_path.insert(0, finder)
    sys.excepthook = hide_own_frames
    guard_replies()
    watch_pools()
    put_task_first_in_workers(folder)

    module = types.ModuleType("__main__")
    module.__file__ = path
    module.__builtins__ = __builtins__
    module.__loader__ = SourceOnly("__main__", path)
    # multiprocessing unpickles the worker's classes under its own name for the main module.
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module
    os.write(CONTROL_FD, b"ready\n")
    exec(module.__loader__.get_code("__main__"), module.__dict__)


if __name__ == "__main__":
    main()
