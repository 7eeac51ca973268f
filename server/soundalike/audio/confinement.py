"""What a process gives up before it reads a stranger's file. Linux only.

Nothing here can be taken back by the process itself, whatever the file makes of it.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from contextlib import suppress
from pathlib import Path

from soundalike.audio.orders import Limits

# As prctl(2) numbers what it does.
_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2

# seccomp(2), and the classic BPF that its filters are written in
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
"""Offsets in `struct seccomp_data`."""
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM

_AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_CALLS: dict[str, tuple[int, int]] = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "getpid": (39, 172),
    "exit": (60, 93),
    "gettimeofday": (96, 169),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "exit_group": (231, 94),
    "getrandom": (318, 278),
}
"""The system calls that decoding takes, with their numbers on x86-64 and on 64-bit ARM: memory,
and the files that are open already. None opens, connects, starts, signals or observes anything."""

_libc = ctypes.CDLL(None, use_errno=True)


def confine(limits: Limits, *, parent: int, filtered: bool = True) -> None:
    """Bind this process, which must be single-threaded, for the rest of its life.

    It keeps the files that it holds and opens no others, gains no privileges, starts no process,
    leaves no core file, is the first to go where the machine has no memory left, and ends when
    its parent does.

    Args:
        parent: the process that this one must not outlive, asked before it was forked: a parent
            that has died since sends no signal.
        filtered: also leave it only the system calls of `_CALLS`, on processors whose numbers
            are known and kernels that can. This is what keeps it from the network, and root from
            new processes.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    memory = _address_space() + limits.memory
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.output),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        _lower(kind, value)
    if filtered:
        _filter_calls()


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    # Of processor time the soft limit is the one whose signal tells the reason.
    spare = 1 if kind == resource.RLIMIT_CPU else 0
    above = value + spare if hard == resource.RLIM_INFINITY else min(value + spare, hard)
    resource.setrlimit(kind, (value, above))


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _filter_calls() -> None:
    if not (programme := _PROGRAMME):
        return
    code = ctypes.create_string_buffer(programme, len(programme))
    # struct sock_fprog: a count, padding, a pointer
    filter_ = struct.pack("@HP", len(programme) // 8, ctypes.addressof(code))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.create_string_buffer(filter_))


def _programme(machine: str) -> bytes:
    """Refuses with EPERM, which every library survives, what is not in `_CALLS`. Empty for a
    processor whose numbers are not known."""
    if machine not in _AUDIT_ARCHITECTURES:
        return b""
    place = list(_AUDIT_ARCHITECTURES).index(machine)
    numbers = [numbers[place] for numbers in _CALLS.values()]
    instructions = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_IF_EQUAL, 0, len(numbers) + 1, _AUDIT_ARCHITECTURES[machine]),
        (_LOAD, 0, 0, _NUMBER),
        *(
            (_JUMP_IF_EQUAL, len(numbers) - index, 0, number)
            for index, number in enumerate(numbers)
        ),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


_PROGRAMME = _programme(platform.machine())
"""Made once, ahead of the processes that it is for."""


def _prctl(option: int, value: int, pointer: ctypes.Array[ctypes.c_char] | None = None) -> None:
    """A kernel that does not know an option is no reason to decode nothing."""
    nothing = ctypes.c_ulong(0)
    words = (ctypes.c_ulong(value), pointer or nothing, nothing, nothing)
    if _libc.prctl(option, *words) and ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"prctl {option}")
