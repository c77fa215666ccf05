"""The first process of a container: gets its work through the door, runs it, and ends with it or with the runner.

    python3 container_init.py <door>

The door is a socket of the runner's. One message comes through it: what to run, with the descriptors that the program
is to have, which no engine passes on. From then on it says nothing more, and its end is the runner's death: then this
process ends, and with it everything in the container, since the kernel ends a process namespace with its first process.
No process in there can do that before: signals to the first process are ignored there, and its memory is closed.

When the program has ended, one message goes back: which of the limits on the whole container were hit.

This file is copied as it is and imports nothing of the runner.
"""
import array
import base64
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import socket
import sys

MOST_MESSAGE_BYTES = 1 << 20
MOST_DESCRIPTORS = 64
LOOK_S = 1.0
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 4, 22, 38
SECCOMP_MODE_FILTER = 2


def prctl(option, first, second=0):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(first), ctypes.c_void_p(second), 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "prctl %d: %s" % (option, os.strerror(error)))


def receive(door):
    """The work and its descriptors; None when the runner has gone."""
    space = socket.CMSG_SPACE(MOST_DESCRIPTORS * array.array("i").itemsize)
    data, extra, _flags, _from = door.recvmsg(MOST_MESSAGE_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, content in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return (json.loads(data.decode()), list(fds)) if data else None


def place_descriptors(fds, numbers):
    """Gives each descriptor the number that the program was told."""
    above = max(numbers, default=3) + 1
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, above) for fd in fds]
    for fd, number in zip(moved, numbers):
        os.dup2(fd, number, inheritable=True)


def filter_calls(program):
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]

    prctl(PR_SET_NO_NEW_PRIVS, 1)
    whole = Program(len(program) // 8, program)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(whole))


def environment(work):
    """What the image says of itself, as far as it is on the list, and over it what the runner wants."""
    env = {name: os.environ[name] for name in work["inherit"] if os.environ.get(name)}
    env.update(work["env"])
    return env


def become_program(work, fds):
    os.setsid()
    place_descriptors(fds, work["fds"])
    os.chdir(work["cwd"])
    if work["cores"]:
        os.sched_setaffinity(0, work["cores"])
    for name, most in work["rlimits"].items():
        number = getattr(resource, name)
        hard = resource.getrlimit(number)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(number, (value, value))
    if work["filter"]:
        filter_calls(base64.b64decode(work["filter"]))
    os.execve(work["argv"][0], work["argv"], environment(work))


def start(work, fds):
    pid = os.fork()
    if pid:
        for fd in fds:
            os.close(fd)
        return pid
    try:
        become_program(work, fds)
    except BaseException as error:
        os.write(2, ("the program could not be started: %s\n" % error).encode())
    os._exit(127)


def wait(door, pid):
    """The program's status; None when the runner has gone. Reaps whatever else ends."""
    read_fd, write_fd = os.pipe()
    for fd in (read_fd, write_fd):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ended = False
    while True:
        while True:
            try:
                reaped, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                reaped = 0
            if reaped == pid:
                return status
            if reaped == 0:
                break
        readable = select.select([door, read_fd], [], [], LOOK_S)[0]
        if door in readable:
            return None
        if read_fd in readable:
            os.read(read_fd, 4096)
        elif not ended and "memory" in read_exceeded():
            # One victim of many would leave a program that can only wait for it.
            ended = True
            os.kill(-1, signal.SIGKILL)


def read_exceeded():
    own = "/sys/fs/cgroup"
    memory = max(count(own + "/memory.events", "oom_kill"), count(own + "/memory/memory.oom_control", "oom_kill"))
    processes = max(count(own + "/pids.events", "max"), count(own + "/pids/pids.events", "max"))
    return [name for name, hits in (("memory", memory), ("processes", processes)) if hits]


def count(path, key):
    try:
        with open(path) as file:
            for line in file:
                fields = line.split()
                if len(fields) == 2 and fields[0] == key and fields[1].isdigit():
                    return int(fields[1])
    except OSError:
        pass
    return 0


def main():
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.connect(sys.argv[1])
    prctl(PR_SET_DUMPABLE, 0)
    work = receive(door)
    if work is None:
        os._exit(1)
    # Python ignores both, and what is ignored here would stay ignored in the program.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    status = wait(door, start(*work))
    if status is None:
        os._exit(1)
    try:
        door.send(json.dumps({"exceeded": read_exceeded()}).encode())
    except OSError:
        pass
    # A death by signal is told the way a shell does.
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
