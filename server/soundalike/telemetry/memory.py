"""How much memory a process has in use, where the system tells."""

import os
from contextlib import suppress
from pathlib import Path


def resident_bytes(pid: int | None = None) -> int | None:
    """Resident memory of a process, by default of this one; None where there is no such process or
    no `/proc` (proc_pid_statm(5))."""
    with suppress(OSError, ValueError, IndexError):
        pages = Path(f"/proc/{pid or 'self'}/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return None
