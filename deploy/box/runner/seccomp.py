"""A filter for system calls, assembled here, that bubblewrap loads before it starts a stage.

It refuses what no honest kernel, compiler or Python program needs and what reaches beyond the process or widens the
part of the system that can be attacked; everything else passes, because what torch, triton and nvcc call changes with
every release. The namespaces are the wall. This is what stands behind it, except for three things that no namespace
confines and only the filter stops: the kernel's keyrings, io_uring (which would go round the filter itself), and
socket families such as AF_VSOCK, which talks to the host of a virtual machine past every network namespace.

A filter is a program of the kernel's classic BPF machine. It reads `struct seccomp_data`: number of the call at byte 0,
architecture at 4, arguments as 64-bit words from 16 on.
"""
from __future__ import annotations

import errno
import platform
import struct
from typing import Dict, List, Optional, Tuple, Union

_LOAD_WORD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _REFUSE_WITH = 0x7FFF0000, 0x00050000
#: Calls of the x32 ABI come under the same architecture word with this bit set.
_X32_BIT = 0x40000000
#: Every CLONE_NEW* flag of clone(): namespaces are made by bubblewrap, not by its guest.
_NAMESPACE_FLAGS = 0x7E020000
#: AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK, which the C library asks for the list of interfaces.
_FAMILIES = (1, 2, 10, 16)

#: Name: numbers on x86-64 and on arm64 (None: it has no such call).
_REFUSED: Dict[str, Tuple[int, Optional[int]]] = {
    # Keys of the user outside, in the kernel's keyrings.
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # Other processes' memory and registers.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    # Large interfaces of the kernel with a history of holes.
    "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # Mounts and namespaces.
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "open_tree_attr": (467, 467),
    "unshare": (272, 97), "setns": (308, 268), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    # The machine itself.
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "sethostname": (170, 161), "setdomainname": (171, 162),
    "syslog": (103, 116), "vhangup": (153, 58), "iopl": (172, None), "ioperm": (173, None),
}  # fmt: skip
#: Name: architecture word, numbers of clone, clone3 and socket, column in the table above.
_MACHINES = {
    "x86_64": (0xC000003E, 56, 435, 41, 0),
    "aarch64": (0xC00000B7, 220, 435, 198, 1),
}


def build_filter(machine: str = platform.machine()) -> Optional[bytes]:
    """The program for `--seccomp`; None for a machine that has no table here."""
    facts = _MACHINES.get(machine)
    if facts is None:
        return None
    architecture, clone, clone3, socket, column = facts
    program = _Program()
    program.load(_ARCHITECTURE)
    # Another architecture's calls have other numbers: 32-bit programs don't run.
    program.jump(_JUMP_EQUAL, architecture, otherwise="refused")
    program.load(_NUMBER)
    if machine == "x86_64":
        program.jump(_JUMP_AT_LEAST, _X32_BIT, then="refused")
    for numbers in _REFUSED.values():
        number = numbers[column]
        if number is not None:
            program.jump(_JUMP_EQUAL, number, then="refused")
    # Its flags are behind a pointer, out of a filter's reach; told that there is no such call, libraries use clone.
    program.jump(_JUMP_EQUAL, clone3, then="missing")
    program.jump(_JUMP_EQUAL, clone, then="clone")
    program.jump(_JUMP_EQUAL, socket, then="socket")
    program.give(_ALLOW)
    program.label("clone")
    program.load(_FIRST_ARGUMENT)
    program.jump(_JUMP_ANY_BIT, _NAMESPACE_FLAGS, then="refused")
    program.give(_ALLOW)
    program.label("socket")
    program.load(_FIRST_ARGUMENT)
    for family in _FAMILIES:
        program.jump(_JUMP_EQUAL, family, then="allowed")
    program.give(_REFUSE_WITH | errno.EAFNOSUPPORT)
    program.label("allowed")
    program.give(_ALLOW)
    program.label("missing")
    program.give(_REFUSE_WITH | errno.ENOSYS)
    program.label("refused")
    program.give(_REFUSE_WITH | errno.EPERM)
    return program.assemble()


class _Program:
    """Instructions with named targets; a jump goes forward by at most 255 instructions."""

    def __init__(self) -> None:
        self._code: List[Tuple[int, int, Union[str, None], Union[str, None]]] = []
        self._labels: Dict[str, int] = {}

    def load(self, offset: int) -> None:
        self._code.append((_LOAD_WORD, offset, None, None))

    def give(self, verdict: int) -> None:
        self._code.append((_RETURN, verdict, None, None))

    def jump(self, test: int, value: int, then: Optional[str] = None, otherwise: Optional[str] = None) -> None:
        self._code.append((test, value, then, otherwise))

    def label(self, name: str) -> None:
        self._labels[name] = len(self._code)

    def assemble(self) -> bytes:
        def distance(at: int, label: Optional[str]) -> int:
            return 0 if label is None else self._labels[label] - at - 1

        return b"".join(
            struct.pack("=HBBI", code, distance(at, then), distance(at, otherwise), value)
            for at, (code, value, then, otherwise) in enumerate(self._code)
        )
