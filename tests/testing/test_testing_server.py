"""Starting and ending servers in process."""

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import openai
import pytest

import soundalike.testing.serving as serving
from soundalike.errors import ServerError
from soundalike.runtime.local import LocalRuntime
from soundalike.testing import Server, Soundalike, aserve, serve

HELLO: Any = {"model": "tts-1", "voice": "alloy", "input": "Hello."}


def spoken(url: str) -> bytes:
    with openai.OpenAI(base_url=url, api_key="sk-test", max_retries=0) as client:
        return client.audio.speech.create(**HELLO).read()


def test_a_server_is_there_for_the_block_and_no_longer() -> None:
    before = threading.active_count()
    with serve() as server:
        assert server.url == f"{server.root}/v1"
        assert spoken(server.url)
        port = int(server.root.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    assert threading.active_count() == before


def test_it_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with serve() as server:
        spoken(server.url)
        assert any(tmp_path.iterdir())
    assert not any(tmp_path.iterdir())


def test_several_servers_stand_beside_each_other() -> None:
    with serve(seed=1) as one, serve(seed=1) as other:
        assert one.root != other.root
        assert spoken(one.url) == spoken(other.url)
        assert [r.id for r in one.requests] == [r.id for r in other.requests]


def test_the_asynchronous_twin() -> None:
    async def use() -> list[int | None]:
        async with aserve(strict=True) as server:
            server.speech.stub(await asyncio.to_thread(spoken, server.scope("other").url))
            async with openai.AsyncOpenAI(base_url=server.url, api_key="sk-test") as client:
                await client.audio.speech.create(**HELLO)
            return [r.status for r in await server.requests.until(1)]

    with pytest.raises(openai.BadRequestError, match="No stub"):
        asyncio.run(use())


def test_the_asynchronous_twin_ends_with_its_block() -> None:
    async def use() -> Server:
        async with aserve() as server:
            await asyncio.to_thread(spoken, server.url)
            server.check()
        return server

    server = asyncio.run(use())
    with pytest.raises(openai.APIConnectionError):
        spoken(server.url)


def test_what_keeps_it_from_starting_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(runtime: LocalRuntime) -> None:
        raise ServerError("no such voice box")

    monkeypatch.setattr(LocalRuntime, "start", fail)
    with pytest.raises(ServerError, match="no such voice box"), serve():
        pytest.fail("it has started")


def test_a_failing_lifespan_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("soundalike.app.own_folder", fail)
    with pytest.raises(OSError, match="the disk is full"), serve():
        pytest.fail("it has started")


def test_a_start_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(runtime: LocalRuntime) -> None:
        await asyncio.sleep(60)

    before = threading.active_count()
    monkeypatch.setattr(LocalRuntime, "start", sleep)
    with pytest.raises(TimeoutError, match=r"within 0\.05 s"), serve(start_timeout=0.05):
        pytest.fail("it has started")
    assert threading.active_count() == before


def test_who_still_waits_does_not_hold_up_its_end() -> None:
    with serve() as server:
        server.fault("hang")
        asking = threading.Thread(target=_ask_in_vain, args=(server.url,))
        asking.start()
        while not server._scope.journal._running:
            pass
    asking.join(5)
    assert not asking.is_alive()


def _ask_in_vain(url: str) -> None:
    with pytest.raises(openai.APIConnectionError):
        spoken(url)


def test_the_environment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDALIKE_API_KEYS", "sk-secret")
    monkeypatch.setenv("SOUNDALIKE_RULES", "nonsense")
    with serve() as server:
        assert spoken(server.url)


def test_settings_are_those_of_the_server() -> None:
    with serve(api_keys=("sk-right",)) as server, pytest.raises(openai.AuthenticationError):
        spoken(server.url)


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"api_key": "x"}, TypeError, "no setting 'api_key'; did you mean 'api_keys'"),
        ({"port": 8000}, TypeError, "'port' cannot be chosen"),
        ({"engine": "whisper"}, ValueError, "'stub' or 'real', got 'whisper'"),
        ({"queue": -1}, ValueError, "^'queue' takes a whole number of at least 0, not -1$"),
        ({"api_keys": ("sk-ö",)}, ValueError, "^it is wrong: API key 1 cannot be sent[^ö]*$"),
        ({"control_token": b"\xff"}, ValueError, "^'control_token' takes a text$"),
    ],
)
def test_wrong_settings_are_refused(
    settings: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text), serve(**settings):
        pytest.fail("it has started")


def test_missing_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no-such-model"):
        serving._pull_missing(
            serving._settings(
                "real", tmp_path, {"models": tmp_path, "whisper_model": "no-such-model"}
            )
        )


def test_the_real_engines(model_store: Path) -> None:
    with serve(engine="real", models=model_store, start_timeout=120) as server:
        server.transcriptions.stub("not what was said", language="de")
        with openai.OpenAI(base_url=server.url, api_key="sk-test") as client:
            audio = client.audio.speech.create(**HELLO | {"response_format": "wav"}).read()
            heard = client.audio.transcriptions.create(
                model="whisper-1", file=("hi.wav", audio), language="de"
            )
        assert heard.text == "not what was said"
        answered = [r.answered_by for r in server.requests]
        assert answered == ["engine", "stub:stub-1"]


def test_scopes_are_apart(server: Server) -> None:
    one, other = server.scope(), server.scope()
    try:
        one.fault("status", status=500)
        assert spoken(other.url)
        assert [len(one.requests), len(other.requests)] == [0, 1]
    finally:
        one.close()
        other.close()


def test_a_named_scope_is_found_again(server: Server) -> None:
    one = server.scope("mine")
    one.strict = True
    again = server.scope("mine")
    assert again.strict
    assert again.url == f"{server.root}/s/mine/v1"
    with pytest.raises(openai.BadRequestError, match="No stub of the scope 'mine'"):
        spoken(again.url)
    assert len(one.requests) == 1
    one.close()
    assert not server.scope("mine").requests


def test_a_scope_is_shown_with_what_tells_it_from_others(server: Server) -> None:
    own = server.scope("mine")
    assert repr(own) == f"Soundalike('mine', '{server.root}/s/mine/v1')"
    assert repr(server) == f"Server('default', '{server.root}/v1')"


def test_a_wrong_name_is_refused(server: Server) -> None:
    with pytest.raises(ValueError, match="no name for a scope"):
        server.scope("a/b")


def test_scopes_begin_as_the_server_was_started() -> None:
    with serve(strict=True, seed=7) as server:
        scope = server.scope("one")
        with pytest.raises(openai.BadRequestError):
            spoken(scope.url)
        with pytest.raises(AssertionError, match="no stub or recording answers"), scope:
            pass
        assert scope.requests[0].id == server.scope("one")._scope.stamp(1).request_id


def test_a_block_that_raises_is_not_checked(server: Server) -> None:
    def fail() -> None:
        with server.scope("failing") as scope:
            scope.speech.stub(spoken(server.url))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert "failing" not in {scope.name for scope in server._ground.scopes.all()}


def test_the_environment_of_a_scope(scope: Soundalike) -> None:
    assert scope.environment == {"OPENAI_BASE_URL": scope.url, "OPENAI_API_KEY": "sk-soundalike"}
