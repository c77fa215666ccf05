"""The room that bubblewrap makes: a fresh mount, pid, ipc, net, uts and user namespace.

Its root is read-only and holds the system's programs and nothing of the machine's data. What can be written (work
folder, /tmp, /dev/shm, HOME, caches) is memory with a size and goes with the namespace; the problem's files are
mounted over the work folder one by one, so that they can neither be written nor moved away. Nothing of the
runner's own folder is in it, and nothing outlives it.

Run by root, bubblewrap itself runs under the job's user id: inside a user namespace, root's id would still be root.
"""
from __future__ import annotations

import glob
import os
import stat
from typing import TYPE_CHECKING, List, Optional, Sequence

from limits import MIB
from process_tree import MARK

if TYPE_CHECKING:
    from sandbox import Policy, Room

_WORK = "/work"
_HOME = "/home/job"
_CACHE = "/cache"
_OWN = "/run/hotlap"
_UID = 1000
CACHE_BYTES = 1024 * MIB
SIZES = {"/dev/shm": 16 * 1024 * MIB, "/tmp": 4 * 1024 * MIB, _HOME: 1024 * MIB, _WORK: 1024 * MIB, _CACHE: CACHE_BYTES}
_ETC = {
    "/etc/passwd": b"job:x:1000:1000:job:/home/job:/bin/sh\n",
    "/etc/group": b"job:x:1000:\n",
    "/etc/hosts": b"127.0.0.1 localhost job\n::1 localhost\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
}


def fill(room: Room, policy: Policy, files: Optional[str], devices: List[str], folders: Sequence[str]) -> None:
    """Turns `room`, with its `own` folder and the problem's `files` on disk, into a sandbox. Raises OSError.

    `files` None: a trial, without files of any kind. `folders`: of the machine, shown besides.
    """
    argv = [policy.bwrap, *_system_mounts(policy)]
    # Together they must fit beside the job where nothing bounds their sum.
    most = room.entry.limits.memory_bytes // (2 if policy.home is not None else 8)

    def tmpfs(path: str) -> None:
        if "--size" in policy.options:
            argv.extend(["--size", str(min(SIZES[path], most))])
        argv.extend(["--tmpfs", path])

    def data(content: bytes) -> str:
        fd = os.memfd_create("data")
        room.pass_fds.append(fd)
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
        return str(fd)

    argv += ["--proc", "/proc", "--dev", "/dev"]
    for device in devices:
        argv += ["--dev-bind", device, device]
    tmpfs("/dev/shm")
    argv += ["--remount-ro", "/dev"]
    if devices:
        argv += ["--ro-bind", "/sys", "/sys"]
    for path in ("/tmp", _HOME, _WORK, _CACHE):
        tmpfs(path)
    for folder in folders:
        argv += ["--ro-bind", folder, folder]
    if files is not None:
        for name in sorted(os.listdir(files)):
            argv += ["--ro-bind", os.path.join(files, name), f"{_WORK}/{name}"]
        argv += ["--ro-bind", room.own, _OWN]
    for path, content in _ETC.items():
        argv += ["--ro-bind-data", data(content), path]
    if policy.syscall_filter is not None:
        argv += ["--seccomp", data(policy.syscall_filter)]
    argv += ["--remount-ro", "/", "--chdir", _WORK, "--die-with-parent", "--new-session"]
    argv += ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"]
    argv += ["--unsetenv", MARK]
    argv += ["--unshare-cgroup-try", "--hostname", "job", "--uid", str(_UID), "--gid", str(_UID), "--cap-drop", "ALL"]
    if "--disable-userns" in policy.options:
        argv.append("--disable-userns")
    room.info_fd, info = os.pipe()
    room.pass_fds.append(info)
    argv += ["--info-fd", str(info), "--"]
    room.argv = argv
    room.work, room.home, room.tmp, room.cache, room.own, room.cwd = _WORK, _HOME, "/tmp", _CACHE, _OWN, "/"


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


def list_gpu_devices() -> List[str]:
    names = [path for pattern in ("/dev/nvidia*", "/dev/kfd", "/dev/dri") for path in sorted(glob.glob(pattern))]
    return [path for path in names if os.path.isdir(path) or stat.S_ISCHR(os.stat(path).st_mode)]
