"""The processes that decode: each fails alone, and none outlives who wants its result."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from soundalike.audio.confined import AVAILABLE, ConfinedDecoder
from soundalike.engines.underway import AbandonedError, Underway
from soundalike.errors import InvalidRequestError, ServerError

psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.skipif(not AVAILABLE, reason="processes are confined on Linux only")

LONG = 60.0
"""Seconds to wait for what takes a moment."""


@pytest.fixture
def second(wav: Callable[[float], Path]) -> Path:
    """Of sound."""
    return wav(1.0)


def test_uploads_are_decoded_side_by_side(
    own: ConfinedDecoder, hours_of_silence: Path, second: Path, decoding: Any, processes: Any
) -> None:
    long = decoding(lambda: own.decode(hours_of_silence))
    processes.busy(own.pid)
    assert len(own.decode(second)) == 16_000
    assert long.thread.is_alive()
    family = processes.family(own.pid)
    own.close()
    assert isinstance(long.ended(), ServerError)
    processes.assert_gone(family)
    with pytest.raises(ServerError):
        own.decode(second)


def test_a_killed_decoding_fails_alone(
    own: ConfinedDecoder, hours_of_silence: Path, second: Path, decoding: Any, processes: Any
) -> None:
    killed = decoding(lambda: own.decode(hours_of_silence))
    processes.busy(own.pid).kill()
    assert isinstance(killed.ended(), ServerError)
    pid = own.pid
    waiting = processes.below(pid)  # the one that waits for its turn, too
    for child in waiting:
        child.kill()
    processes.assert_gone(waiting)  # a signal takes its time, in which it might be given the next
    assert len(own.decode(second)) == 16_000
    assert own.pid == pid


def test_a_decoding_that_nobody_wants_any_more_is_ended(
    own: ConfinedDecoder, hours_of_silence: Path, second: Path, decoding: Any, processes: Any
) -> None:
    job = Underway()

    def work() -> None:
        with job.stepping():
            own.decode(hours_of_silence)

    unwanted = decoding(work)
    child = processes.busy(own.pid)
    os.kill(child.pid, signal.SIGSTOP)  # it does not end by itself
    job.abandon()
    assert isinstance(unwanted.ended(), AbandonedError)
    processes.assert_gone([child])
    assert own.decode(second).size


def test_a_killed_decoder_fails_what_it_does_and_is_started_again(
    own: ConfinedDecoder, hours_of_silence: Path, second: Path, decoding: Any, processes: Any
) -> None:
    killed = decoding(lambda: own.decode(hours_of_silence))
    processes.busy(own.pid)
    family = processes.family(own.pid)
    family[0].kill()
    assert isinstance(killed.ended(), ServerError)
    processes.assert_gone(family)
    assert len(own.decode(second)) == 16_000
    assert own.pid != family[0].pid


def test_a_decoder_that_hangs_is_replaced(new_decoder: Any, second: Path, processes: Any) -> None:
    decoder = new_decoder(patience=1.0)
    decoder.start()
    hanging = processes.family(decoder.pid)
    hanging[0].suspend()
    with pytest.raises(ServerError):
        decoder.decode(second)
    processes.assert_gone(hanging)
    decoder._patience = LONG
    assert len(decoder.decode(second)) == 16_000


def test_two_that_time_out_at_once_leave_the_next_decoder_alone(
    new_decoder: Any, second: Path, decoding: Any, processes: Any
) -> None:
    decoder = new_decoder(patience=1.0)
    decoder.start()
    hanging = processes.family(decoder.pid)
    hanging[0].suspend()
    waiting = [decoding(lambda: decoder.decode(second)) for _ in range(2)]
    assert [type(one.ended()) for one in waiting] == [ServerError] * 2
    processes.assert_gone(hanging)
    decoder._patience = LONG
    assert len(decoder.decode(second)) == 16_000


def test_only_the_process_that_hung_is_ended(own: ConfinedDecoder, second: Path) -> None:
    hung = own._zygote._process
    assert hung
    own._zygote.end(hung)
    assert len(own.decode(second)) == 16_000
    successor = own.pid
    own._zygote.end(hung)  # by the next upload that had waited for it
    assert own.pid == successor
    assert len(own.decode(second)) == 16_000


def test_children_are_made_ahead_and_again(
    own: ConfinedDecoder, hours_of_silence: Path, second: Path, decoding: Any, processes: Any
) -> None:
    assert len(own.decode(second)) == 16_000  # it has begun to fork
    first = processes.spare(own.pid)
    long = decoding(lambda: own.decode(hours_of_silence))
    assert processes.busy(own.pid).pid in [child.pid for child in first]
    processes.replenished(own.pid)
    assert long.thread.is_alive()  # not only when it has ended
    own.close()
    long.ended()


def test_a_child_whose_parent_died_before_it_confined_itself_ends(
    own: ConfinedDecoder, hours_of_silence: Path, second: Path, decoding: Any, processes: Any
) -> None:
    assert len(own.decode(second)) == 16_000
    waiting = processes.spare(own.pid)
    for child in waiting:
        child.suspend()
    orphaned = decoding(lambda: own.decode(hours_of_silence))
    family = processes.replenished(own.pid)
    family[0].kill()
    psutil.wait_procs(family[:1], timeout=LONG)
    for child in waiting:
        child.resume()
    assert isinstance(orphaned.ended(), ServerError)
    processes.assert_gone(family)


def test_nothing_outlives_the_host(hours_of_silence: Path, processes: Any) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from soundalike.audio.confined import ConfinedDecoder;"
        "ConfinedDecoder().decode(Path(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(hours_of_silence)]) as host:
        try:
            processes.busy(host.pid)
            family = processes.below(host.pid)
        finally:
            host.kill()
    processes.assert_gone(family)


def test_no_descriptor_is_left_open(shared: ConfinedDecoder, wav: Any) -> None:
    def descriptors() -> int:
        return int(psutil.Process().num_fds())

    path = wav(0.2)
    shared.decode(path)
    before, theirs = descriptors(), psutil.Process(shared.pid).num_fds()
    for _ in range(20):
        shared.decode(path)
        with pytest.raises(InvalidRequestError):
            shared.decode(path, max_seconds=0.1)
    assert descriptors() == before
    assert psutil.Process(shared.pid).num_fds() <= theirs + 4  # who ended last, and who is next
