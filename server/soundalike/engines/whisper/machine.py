"""What this machine has for Whisper, within the limits that a container sets."""

import os
from pathlib import Path

import ctranslate2

from soundalike.engines.whisper.plan import Machine

CGROUP = Path("/sys/fs/cgroup")
MEMORY = Path("/proc/meminfo")


def this_machine() -> Machine:
    gpus = int(ctranslate2.get_cuda_device_count())
    devices = ("cpu", "cuda") if gpus else ("cpu",)
    return Machine(
        cores=usable_cores(),
        gpus=gpus,
        memory=free_memory(),
        number_types={
            device: frozenset(ctranslate2.get_supported_compute_types(device)) for device in devices
        },
    )


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Of the cores that the scheduler gives this process, as many as its control group's share
    of processor time fills (https://docs.kernel.org/admin-guide/cgroup-v2.html, `cpu.max`)."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        cores = min(cores, int(quota) // int(period))
    return max(1, cores)


def free_memory(cgroup: Path = CGROUP, meminfo: Path = MEMORY) -> int | None:
    """Bytes that can be taken before the machine swaps or the control group's limit is met; None
    where neither is told. What a group uses (`memory.current`) counts the files that it has read
    (`active_file` and `inactive_file` of `memory.stat`), which give way."""
    found = [
        1024 * int(line.split()[1])
        for line in _read(meminfo).splitlines()
        if line.startswith("MemAvailable:")
    ]
    limit, used = _read(cgroup / "memory.max").strip(), _read(cgroup / "memory.current").strip()
    if limit.isdigit() and used.isdigit():
        stat = dict(line.split() for line in _read(cgroup / "memory.stat").splitlines())
        files = int(stat.get("active_file", 0)) + int(stat.get("inactive_file", 0))
        found.append(max(0, int(limit) - int(used) + files))
    return min(found, default=None)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
