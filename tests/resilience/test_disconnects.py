"""Clients that go away: their work stops, their place is free again, nothing of theirs is left."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.skipif(not psutil.LINUX, reason="needs /proc")


@pytest.fixture(scope="module")
def narrow(subject: Callable[..., AbstractContextManager[Any]]) -> Iterator[Any]:
    """A server in whose queue nobody may wait."""
    with subject("--queue", "0") as running:
        yield running


def ask(running: Any, text: str) -> Any:
    """A request for speech on a connection of its own, sent and not yet answered."""
    body = json.dumps(running.speech(text)).encode()
    client = running.connect()
    client.sendall(
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-test\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    return client


def test_a_client_that_goes_in_the_midst_of_a_stream_stops_its_work(shared: Any) -> None:
    with ask(shared, "name=left steps=100000 samples=24000 pause=0.01") as client:
        assert client.recv(100)
    shared.wait_told("end left")


def test_a_client_that_goes_before_the_first_byte_stops_its_work(shared: Any) -> None:
    with ask(shared, "name=early steps=100000 samples=1 pause=0.01"):
        shared.wait_told("begin early")
    shared.wait_told("end early")


def test_a_client_that_goes_in_the_midst_of_a_long_step_stops_it(shared: Any) -> None:
    with ask(shared, "name=step steps=0 spin"):
        shared.wait_told("begin step")
    shared.wait_told("end step")


def test_a_client_that_goes_while_queued_frees_its_place_and_never_begins(
    subject: Callable[..., AbstractContextManager[Any]], wait_until: Any
) -> None:
    """All 64 places of the engine are taken, and the one to wait in as well."""
    with subject("--queue", "1") as running:
        clients = [ask(running, "name=held steps=100000 samples=24000") for n in range(64)]
        try:
            running.wait_told("begin held", 64)
            queued = ask(running, "name=queued")
            wait_until(lambda: running.queued() == 1)
            assert running.speak("steps=1").status_code == 503
            queued.close()
            wait_until(lambda: running.queued() == 0)
            with ask(running, "name=next"):
                clients.pop().close()
                running.wait_told("begin next")
            assert running.told("begin queued") == 0
        finally:
            for client in clients:
                client.close()


def test_a_client_that_goes_while_it_uploads_leaves_no_file(shared: Any, wait_until: Any) -> None:
    assert shared.speak("warm").status_code == 200
    before = shared.held()
    with shared.connect() as client:
        client.sendall(
            b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
            b"Authorization: Bearer sk-test\r\nContent-Length: 2000000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            + bytes(1_000_000)
        )
        wait_until(lambda: shared.held().temporary, "nothing was spooled")
    wait_until(lambda: shared.held().temporary == ())
    assert shared.held().handles == before.handles


def test_two_hundred_who_leave_leave_nothing(shared: Any, wait_until: Any) -> None:
    assert shared.speak("warm").status_code == 200
    before = shared.held()
    gone = threading.Barrier(10)

    def come_and_go(n: int) -> None:
        for m in range(20):
            ask(shared, f"name=many steps={m} pause=0.001 samples=24000").close()
        gone.wait(30)

    threads = [threading.Thread(target=come_and_go, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: shared.told("begin many") == shared.told("end many"))
    wait_until(lambda: shared.held().handles == before.handles)
    assert shared.held().threads == before.threads
    assert shared.speak("steps=1").status_code == 200
