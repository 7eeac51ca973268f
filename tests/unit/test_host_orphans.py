"""What a host leaves behind when it ends."""

import subprocess
import sys

import psutil
import pytest

HOST_THAT_ENDS = """
import ctypes, subprocess, sys
import psutil
from soundalike.engines.base import EngineConfig
from soundalike.runtime.frames import Frame, Opening, dump_opening, read_frame

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans become ours
host = subprocess.Popen(
    [sys.executable, "-m", "soundalike.runtime.host"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
)
opening = Opening("transcription", EngineConfig("stub"), threads=1, depth=1)
host.stdin.write(Frame("open", value=dump_opening(opening)).encode() + Frame("prepare").encode())
host.stdin.flush()
assert read_frame(host.stdout).op == "opened"
while not (decoders := psutil.Process(host.pid).children()):
    pass
host.stdin.close()
assert host.wait() == 0
left = {child.pid for child in psutil.Process().children()}
print("left" if left & {decoder.pid for decoder in decoders} else "nothing")
"""


@pytest.mark.skipif(not psutil.LINUX, reason="uploads are decoded in the host itself")
def test_a_host_that_ends_leaves_no_decoder_to_be_buried_by_others() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOST_THAT_ENDS],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "nothing\n", done.stderr
