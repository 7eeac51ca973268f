"""Hosts that die or hang at any moment: what clients see, that the rest goes on, what is left."""

import io
import signal
import threading
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any

import httpx2 as httpx
import psutil
import pytest

pytestmark = pytest.mark.skipif(not psutil.LINUX, reason="needs /proc")


@pytest.fixture(scope="module")
def audio() -> bytes:
    """A tenth of a second, as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(16_000)
        wav.writeframes(bytes(2 * 1600))
    return file.getvalue()


@pytest.fixture
def unharmed(shared: Any, audio: bytes, wait_until: Any) -> Iterator[Any]:
    """The shared server. After the test it answers, without a restart, and holds what it held."""
    for _ in range(2):  # the first uploads and threads leave what stays: caches, a thread pool
        assert shared.speak("warm").status_code == 200
        assert shared.transcribe(audio).json() == {
            "text": "1600 samples",
            "usage": {"type": "duration", "seconds": 1},
        }
    before = shared.held()
    yield shared
    assert shared.speak("steps=2").content == bytes(4800) + b"\1\0" * 2400
    assert shared.transcribe(audio).json()["text"] == "1600 samples"
    assert shared.held() == before
    assert shared.ready()["status"] == "ready"


def test_a_kill_in_the_midst_of_synthesis_is_a_server_error(unharmed: Any, error_of: Any) -> None:
    answer = unharmed.speak("steps=0 die")
    assert answer.status_code == 500
    assert error_of(answer)["type"] == "server_error"


def test_a_kill_in_the_midst_of_a_stream_of_audio_breaks_it_off(unharmed: Any) -> None:
    with unharmed.stream("steps=3 samples=24000 die") as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()


def test_a_kill_in_the_midst_of_a_stream_of_events_is_an_error_event(
    unharmed: Any, last_event: Any
) -> None:
    body = {"stream_format": "sse", "model": "gpt-4o-mini-tts"}
    answer = unharmed.speak("steps=3 samples=24000 die", **body)
    assert answer.status_code == 200
    assert last_event(answer.content)["error"]["type"] == "server_error"


def test_a_kill_while_an_upload_is_recognised_is_a_server_error(
    unharmed: Any, audio: bytes, error_of: Any
) -> None:
    answer = unharmed.transcribe(audio, prompt="die")
    assert answer.status_code == 500
    assert error_of(answer)["type"] == "server_error"


def test_a_kill_in_the_midst_of_a_stream_of_text_is_an_error_event(
    unharmed: Any, audio: bytes, last_event: Any
) -> None:
    answer = unharmed.transcribe(audio, model="gpt-4o-transcribe", stream="true", prompt="die")
    assert answer.status_code == 200
    assert last_event(answer.content)["error"]["type"] == "server_error"


def test_a_kill_of_an_idle_host_is_not_noticed_by_the_next_request(
    unharmed: Any, wait_until: Any
) -> None:
    unharmed.host().kill()
    wait_until(lambda: unharmed.engine()["state"] == "unloaded")
    assert unharmed.engine()["reason"] == "its host died"


def test_a_kill_hits_the_jobs_of_that_host_alone(unharmed: Any, audio: bytes) -> None:
    """While speech dies with all its jobs, a transcription goes on."""
    dying = [f"name=d{n} steps=2 pause=0.2" for n in range(4)]
    with ThreadPoolExecutor(6) as pool:
        spoken = [pool.submit(unharmed.speak, text) for text in dying]
        unharmed.wait_told("begin d3")
        killed = pool.submit(unharmed.speak, "steps=0 die")
        heard = pool.submit(unharmed.transcribe, audio)
        assert heard.result().json()["text"] == "1600 samples"
        assert killed.result().status_code == 500
        for one in spoken:
            with suppress(httpx.RemoteProtocolError):  # its stream had begun
                assert one.result().status_code == 500


def test_a_kill_while_an_engine_loads_fails_who_waits_and_heals(
    subject: Callable[..., AbstractContextManager[Any]], wait_until: Any
) -> None:
    with subject(plan="ok die ok") as running:
        running.host().kill()
        wait_until(lambda: running.engine()["state"] == "unloaded")
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(running.speak, ["a", "b", "c"]))
        assert {answer.status_code for answer in answers} == {500}
        assert running.speak("steps=1").status_code == 200
        assert running.ready()["status"] == "ready"


def test_an_engine_that_cannot_be_opened_is_not_tried_for_every_request(
    subject: Callable[..., AbstractContextManager[Any]], error_of: Any, wait_until: Any
) -> None:
    with subject(plan="ok fail fail ok") as running:
        running.host().kill()
        wait_until(lambda: running.engine()["state"] == "unloaded")
        first = running.speak("first")
        assert first.status_code == 500
        engine = running.engine()
        assert (engine["state"], engine["reason"]) == ("failed", "the weights cannot be read")
        assert running.client.get("/readyz").status_code == 503
        at_once = [running.speak("again") for _ in range(5)]
        opened = running.log.read_text().count("speech in")
        assert {answer.status_code for answer in at_once} == {503}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in at_once)
        assert "could not be opened" in error_of(at_once[0])["message"]
        assert opened <= 3, "each request had it loaded again"
        # Nobody asks for anything: it comes back by itself.
        wait_until(lambda: running.client.get("/readyz").status_code == 200)
        assert running.speak("steps=1").status_code == 200


def test_a_host_that_does_not_answer_any_more_is_killed(
    subject: Callable[..., AbstractContextManager[Any]], wait_until: Any
) -> None:
    with subject("--stall-timeout", "2.5") as running:
        stopped = running.host()
        stopped.send_signal(signal.SIGSTOP)
        assert running.speak("a").status_code == 500
        assert not stopped.is_running()
        assert running.speak("steps=1").status_code == 200
        assert "does not answer" in "".join(running.server.output)


@pytest.mark.parametrize("hanging", ["steps=0 hang"])
def test_a_job_that_makes_no_progress_takes_its_host_with_it(
    subject: Callable[..., AbstractContextManager[Any]], audio: bytes, hanging: str
) -> None:
    with subject("--stall-timeout", "2.5") as running:
        assert running.speak(hanging).status_code == 500
        assert running.speak("steps=1").status_code == 200
        answer = running.transcribe(audio, prompt="hang", model="gpt-4o-transcribe", stream="true")
        assert b"server_error" in answer.content
        assert running.transcribe(audio).status_code == 200
        assert "no progress" in "".join(running.server.output)


def test_a_slow_job_that_comes_forward_is_left_alone(
    subject: Callable[..., AbstractContextManager[Any]],
) -> None:
    with subject("--stall-timeout", "2.5") as running:
        answer = running.speak("steps=6 pause=0.4")
        assert len(answer.content) == 6 * 4800
        leaving = threading.Thread(target=_leave_soon, args=(running, "name=long spin"))
        leaving.start()
        leaving.join()
        running.wait_told("end long")
        assert "no progress" not in "".join(running.server.output)


def _leave_soon(running: Any, text: str) -> None:
    """Ask for a step without an end, and go away after twice the time of a stall."""
    with suppress(httpx.ReadTimeout):
        running.client.post("/v1/audio/speech", json=running.speech(text), timeout=4)


def test_an_engine_that_never_opens_is_given_up(
    subject: Callable[..., AbstractContextManager[Any]], wait_until: Any
) -> None:
    with subject("--stall-timeout", "2.5", plan="ok hang ok") as running:
        running.host().kill()
        wait_until(lambda: running.engine()["state"] == "unloaded")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(running.speak, "a")
            wait_until(lambda: running.engine()["state"] == "loading")
            assert running.ready()["status"] == "degraded"
            assert waiting.result().status_code == 500
        assert "did not open" in running.engine()["reason"]
        again = running.speak("b")  # to try at once would go the same way
        assert again.status_code == 503
        assert int(again.headers["retry-after"]) >= 1
        wait_until(lambda: running.client.get("/readyz").status_code == 200)
        assert running.speak("steps=1").status_code == 200
        assert "did not open" in "".join(running.server.output)
