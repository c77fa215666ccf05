"""Where a stage runs: a policy and the files in, a Room out.

Two kinds. `bwrap`: a fresh mount, pid, ipc, net, uts and user namespace. The root is read-only and holds the
system's programs; the problem's files are copies on top of a work folder in memory; nothing of the runner's own folder
is in it; the only thing that outlives it is the cache folder. `none`: a fresh directory and a clean environment.

Run by root, bubblewrap itself runs under an ordinary uid: inside a user namespace, root's uid would still be root.
How a room is left: by killing bubblewrap, since everything in its namespace dies with it (process_tree.py).
"""
from __future__ import annotations

import glob
import os
import resource
import stat
import subprocess
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Tuple

import disk
import process_tree
from protocol import BoxFailure

GUEST_WORK = "/work"
GUEST_HOME = "/home/job"
GUEST_CACHE = "/cache"
GUEST_FILES = "/run/hotlap"
GUEST_UID = 1000
MIB = 1024 * 1024
_GUEST_FILES_OF_ETC = {
    "/etc/passwd": b"job:x:1000:1000:job:/home/job:/bin/sh\n",
    "/etc/group": b"job:x:1000:\n",
    "/etc/hosts": b"127.0.0.1 localhost\n::1 localhost\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
}


@dataclass(frozen=True)
class Policy:
    """What this machine offers; found out by a trial (python_choice.py)."""

    kind: str
    bwrap: str = ""
    #: Options that older versions lack.
    options: Tuple[str, ...] = ()
    python: str = ""
    python_folders: Tuple[str, ...] = ()


@dataclass
class Room:
    """A place for one process. `argv` goes before the command; all paths are as the process sees them."""

    work: str
    home: str
    tmp: str
    cache: str
    cases: str
    launcher: str
    argv: List[str] = field(default_factory=list)
    cwd: str = "/"
    pass_fds: List[int] = field(default_factory=list)
    #: Read end of bubblewrap's pipe that names the namespace's first process.
    info_fd: Optional[int] = None
    uid: Optional[int] = None
    groups: List[int] = field(default_factory=list)
    limits: Optional[Callable[[], None]] = None
    #: The folder on the real disk to be removed afterwards.
    folder: Optional[str] = None

    def close_passed(self) -> None:
        while self.pass_fds:
            os.close(self.pass_fds.pop())

    def leave(self) -> None:
        self.close_passed()
        if self.info_fd is not None:
            os.close(self.info_fd)
            self.info_fd = None
        if self.folder is not None:
            disk.remove_tree(self.folder)


def sandbox_uid() -> Optional[int]:
    """An ordinary uid of this job's own; None where we are no root and stay who we are."""
    return 60_000 + os.getpid() % 1_000 if os.geteuid() == 0 else None


def make_cache_folder(path: str, uid: Optional[int]) -> None:
    os.mkdir(path, 0o700)
    if uid is not None:
        os.chown(path, uid, uid)


def make_room(policy: Policy, scratch: str, name: str, files: Dict[str, str], cases: str, launcher: bytes) -> Room:
    """A fresh room with exactly these files. `name` is unique in the job. Raises OSError, BoxFailure."""
    if policy.kind == "bwrap":
        return _bwrap_room(policy, os.path.join(scratch, "cache"), files, cases, launcher)
    return _plain_room(os.path.join(scratch, name), os.path.join(scratch, "cache"), files, cases, launcher)


def _plain_room(folder: str, cache: str, files: Dict[str, str], cases: str, launcher: bytes) -> Room:
    room = Room(
        work=os.path.join(folder, "work"),
        home=os.path.join(folder, "home"),
        tmp=os.path.join(folder, "tmp"),
        cache=cache,
        cases=os.path.join(folder, "cases.txt"),
        launcher=os.path.join(folder, "launcher.py"),
        folder=folder,
        limits=_limits(is_namespaced=False),
    )
    room.cwd = room.work
    for path in (folder, room.work, room.home, room.tmp):
        os.mkdir(path, 0o700)
    for name, text in files.items():
        path = os.path.join(room.work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _write(path, text.encode())
    _write(room.cases, cases.encode())
    _write(room.launcher, launcher)
    return room


def _write(path: str, data: bytes) -> None:
    with open(path, "xb") as out:
        out.write(data)


def _bwrap_room(policy: Policy, cache: str, files: Dict[str, str], cases: str, launcher: bytes) -> Room:
    room = Room(
        work=GUEST_WORK,
        home=GUEST_HOME,
        tmp="/tmp",
        cache=GUEST_CACHE,
        cases=GUEST_FILES + "/cases.txt",
        launcher=GUEST_FILES + "/launcher.py",
        uid=sandbox_uid(),
        limits=_limits(is_namespaced=True),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    argv = [policy.bwrap, *_system_mounts(policy)]

    def tmpfs(path: str, most: int) -> None:
        if "--size" in policy.options:
            argv.extend(["--size", str(min(most, memory // 2))])
        argv.extend(["--tmpfs", path])

    def file(path: str, data: bytes) -> None:
        fd = os.memfd_create("file")
        room.pass_fds.append(fd)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
        argv.extend(["--ro-bind-data", str(fd), path])

    try:
        argv += ["--proc", "/proc", "--dev", "/dev"]
        devices = _gpu_devices()
        for device in devices:
            argv += ["--dev-bind", device, device]
        tmpfs("/dev/shm", 16 * 1024 * MIB)
        argv += ["--remount-ro", "/dev"]
        if devices:
            argv += ["--ro-bind", "/sys", "/sys"]
        tmpfs("/tmp", 4 * 1024 * MIB)
        tmpfs(GUEST_HOME, 1024 * MIB)
        tmpfs(GUEST_WORK, 1024 * MIB)
        folders = sorted({"/".join(name.split("/")[:i]) for name in files for i in range(1, name.count("/") + 1)})
        for folder in folders:
            # A mount of its own can't be renamed away, nor can a foreign file be put beside the problem's.
            tmpfs(f"{GUEST_WORK}/{folder}", MIB)
        for name, text in files.items():
            file(f"{GUEST_WORK}/{name}", text.encode())
        for folder in reversed(folders):
            argv += ["--remount-ro", f"{GUEST_WORK}/{folder}"]
        argv += ["--dir", GUEST_FILES]
        file(room.cases, cases.encode())
        file(room.launcher, launcher)
        for path, data in _GUEST_FILES_OF_ETC.items():
            file(path, data)
        if os.path.isdir(cache):
            argv += ["--bind", cache, GUEST_CACHE]
        argv += ["--remount-ro", "/", "--chdir", GUEST_WORK, "--die-with-parent", "--new-session"]
        argv += ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"]
        argv += ["--unshare-cgroup-try", "--uid", str(GUEST_UID), "--gid", str(GUEST_UID), "--cap-drop", "ALL"]
        if "--disable-userns" in policy.options:
            argv.append("--disable-userns")
        room.info_fd, info = os.pipe()
        room.pass_fds.append(info)
        argv += ["--info-fd", str(info), "--"]
    except OSError:
        room.leave()
        raise
    if room.uid is not None:
        room.groups = sorted({os.stat(device).st_gid for device in devices if not _open_to_all(device)})
    room.argv = argv
    return room


def _system_mounts(policy: Policy) -> List[str]:
    argv = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = "/" + name
        if os.path.islink(path):
            argv += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            argv += ["--ro-bind", path, path]
    for path in ("/opt", "/nix", "/run/opengl-driver", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"):
        argv += ["--ro-bind-try", path, path]
    for path in ("/etc/alternatives", "/etc/localtime", "/etc/OpenCL"):
        argv += ["--ro-bind-try", path, path]
    for path in policy.python_folders:
        argv += ["--ro-bind", path, path]
    return argv


def _gpu_devices() -> List[str]:
    names = [path for pattern in ("/dev/nvidia*", "/dev/kfd", "/dev/dri") for path in sorted(glob.glob(pattern))]
    return [path for path in names if os.path.isdir(path) or stat.S_ISCHR(os.stat(path).st_mode)]


def _open_to_all(device: str) -> bool:
    return os.path.isdir(device) or os.stat(device).st_mode & 0o006 == 0o006


def _limits(is_namespaced: bool) -> Callable[[], None]:
    """What the process does to itself between fork and exec. Not the address space: CUDA reserves far more than it uses."""
    die_with_parent = process_tree.make_die_with_parent()
    wanted = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 16 * 1024 * MIB), (resource.RLIMIT_NOFILE, 65_536)]
    if is_namespaced:
        wanted.append((resource.RLIMIT_NPROC, 4_096))

    def apply() -> None:
        for limit, most in wanted:
            hard = resource.getrlimit(limit)[1]
            value = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (value, value))
        die_with_parent()

    return apply


def find_bwrap_options(bwrap: str) -> Tuple[str, ...]:
    """Which of the options that we can do without this version knows. Raises BoxFailure."""
    try:
        text = subprocess.run([bwrap, "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BoxFailure("sandbox-failed", f"bubblewrap does not start: {error}") from error
    return tuple(option for option in ("--size", "--disable-userns") if option.encode() in text.stdout)
