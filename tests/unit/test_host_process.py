"""A host process by itself: what ends it, and what it says then."""

import struct
import subprocess
import sys

import pytest

from soundalike.runtime.frames import MAX_HEADER, Frame

TOO_LARGE = struct.pack(">II", MAX_HEADER + 1, 0)


def ended(said: bytes) -> subprocess.CompletedProcess[bytes]:
    """A host that has heard something, and then no more."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "soundalike.runtime.host"],
        input=said,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("cut", [0, 4, 9, 30])
def test_a_host_ends_where_its_orders_do_also_in_the_midst_of_one(cut: int) -> None:
    done = ended(Frame("ping").encode() + Frame("run", 1, "a" * 100).encode()[:cut])
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == Frame("pong", value=0).encode()


@pytest.mark.parametrize("garbage", [TOO_LARGE, Frame("open", value={}).encode()])
def test_a_host_that_cannot_go_on_says_so_in_one_record_and_ends(garbage: bytes) -> None:
    done = ended(garbage + bytes(100))
    assert done.returncode == 1
    first, *others = done.stderr.decode().splitlines()
    assert "CRITICAL soundalike.runtime.host: the host ends" in first
    assert others
    assert all(line.startswith("    | ") for line in others), "a traceback past the log"
