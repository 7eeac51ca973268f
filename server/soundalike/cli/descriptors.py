"""How many files and connections the operating system lets this process have open."""

import sys

from soundalike.serving import ACCEPTED_AT_ONCE, SPARE

OWN = 128
"""Descriptors of the server itself: its hosts' pipes, its log, what libraries open in passing."""

EACH = 2
"""Descriptors of a connection: itself, and the file that it uploads."""

_ALWAYS = (
    EACH * SPARE + 4 * ACCEPTED_AT_ONCE + OWN
)  # accepting runs a few rounds ahead of turning away


def affordable(connections: int) -> int:
    """As many connections, up to those wanted, as there can be descriptors for. The process's own
    limit is raised to what they need, as far as it may be."""
    if sys.platform == "win32":
        return connections
    import resource

    needed = EACH * connections + _ALWAYS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = soft
    if soft != resource.RLIM_INFINITY and soft < needed:
        limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (OSError, ValueError):  # macOS has a limit beside the one that it tells
            limit = soft
    if limit == resource.RLIM_INFINITY:
        return connections
    return max(1, min(connections, (limit - _ALWAYS) // EACH))
