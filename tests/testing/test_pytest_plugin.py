"""The plugin, in sessions of pytest of their own."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from soundalike import testing

pytest_plugins = ["pytester"]

HEAVY = ("fastapi", "uvicorn", "openai", "pydantic", "starlette", "numpy", "av")


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:schemathesis", *arguments)


@pytest.fixture(autouse=True)
def _application(pytester: pytest.Pytester, clip: bytes) -> None:
    """What is tested. A session in this process forgets the modules that it was the first to
    import, of which some bear no second import; `clip` has had them imported before."""
    pytester.makepyfile(
        my_app="""
        import openai

        def speak(text="Hello."):
            with openai.OpenAI(max_retries=0) as client:
                return client.audio.speech.create(model="tts-1", voice="alloy", input=text).read()
        """
    )
    pytester.syspathinsert()


def test_a_session_that_does_not_use_it_loads_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import sys

        def test_nothing_is_loaded(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("soundalike")
            assert not set({HEAVY!r}) & set(sys.modules)
        """
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:schemathesis", str(pytester.path)],
        capture_output=True,
        text=True,
        cwd=pytester.path,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_variables_are_set_and_restored(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://before")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    pytester.makepyfile(
        """
        import os
        import my_app

        def test_one(monkeypatch, soundalike, soundalike_url):
            assert os.environ["OPENAI_BASE_URL"] == soundalike.url == soundalike_url
            assert os.environ["OPENAI_API_KEY"]
            monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
            assert my_app.speak()

        def test_then():
            assert os.environ["OPENAI_BASE_URL"] == "http://before"
            assert "OPENAI_API_KEY" not in os.environ
        """
    )
    run(pytester, "-W", "error").assert_outcomes(passed=2)


def test_tests_are_apart_and_share_one_server(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import my_app, pytest

        @pytest.mark.parametrize("n", [1, 2])
        def test_each(soundalike, soundalike_server, n):
            soundalike.fault("latency", seconds=0, times=1)
            my_app.speak()
            assert len(soundalike.requests) == 1
            assert soundalike.url.startswith(soundalike_server.root)
            assert not soundalike_server.requests
        """
    )
    run(pytester, "-W", "error").assert_outcomes(passed=2)


def test_the_clients(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        HELLO = dict(model="tts-1", voice="alloy", input="Hello.")

        def test_one(soundalike, soundalike_client):
            soundalike_client.audio.speech.create(**HELLO)
            soundalike.verify(1)

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_other(soundalike, soundalike_async_client):
            for _ in range(2):
                await soundalike_async_client.audio.speech.create(**HELLO)
            soundalike.verify(2)
        """
    )
    run(pytester, "-W", "error").assert_outcomes(passed=2)


def test_a_check_that_fails_is_told_at_the_end(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import my_app

        def test_one(soundalike):
            soundalike.transcriptions.stub("never heard")
            my_app.speak()
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["- stub-1 answered nothing: transcriptions, 'never heard'*"])
    result.stdout.no_fnmatch_line("*plugin.py*")


def test_a_failure_is_shown_where_the_test_asked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_verified(soundalike):
            soundalike.verify(1, model="tts-1")

        def test_checked(soundalike):
            soundalike.transcriptions.stub("never heard")
            soundalike.check()

        def test_checked_by_leaving(soundalike_server):
            with soundalike_server.scope("own") as own:
                own.transcriptions.stub("never heard")

        def test_awaited(soundalike):
            soundalike.requests.wait(timeout=0.01)

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_awaited_by_a_coroutine(soundalike):
            await soundalike.requests.until(timeout=0.01)

        def test_misspelt(soundalike):
            soundalike.fault("latency", second=1)

        def test_stubbed(soundalike):
            soundalike.transcriptions.stub(segments=[1])

        @pytest.mark.filterwarnings("error")
        def test_without_a_request(soundalike): pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=7, passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            ">       soundalike.verify(1, model=*",
            ">       soundalike.check()",
            ">       with soundalike_server.scope*",
            ">       soundalike.requests.wait(*",
            ">       await soundalike.requests.until(*",
            ">       soundalike.fault(*",
            ">       soundalike.transcriptions.stub(*",
        ]
    )
    for module in ("answers", "conditions", "plugin", "requests", "scope", "stubbing"):
        result.stdout.no_fnmatch_line(f"*{module}.py:*")


def test_a_check_does_not_hide_what_failed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import my_app, pytest

        def test_failing(soundalike):
            soundalike.transcriptions.stub("never heard")
            my_app.speak("Good day.")
            assert "this" == "that"

        @pytest.mark.xfail(strict=True)
        def test_expected_to_fail(soundalike):
            assert False

        def test_skipped(soundalike):
            pytest.skip("no time")
        """
    )
    result = run(pytester, "-W", "error")
    result.assert_outcomes(failed=1, xfailed=1, skipped=1, errors=0)
    result.stdout.fnmatch_lines(
        [
            "*assert 'this' == 'that'",
            "*- soundalike -*",
            "request 1: POST /v1/audio/speech (*input='Good day.'*), answered 200 by engine",
            "- stub-1 answered nothing*",
        ]
    )


def test_a_test_without_a_request_is_warned_of(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(soundalike): pass")
    result = run(pytester, "-W", "default")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*NoRequestsWarning: no request came*"])
    ignoring = "ignore::soundalike.testing.NoRequestsWarning"
    run(pytester, "-W", "error", "-W", ignoring).assert_outcomes(passed=1)


def test_the_marker_sets_it_up(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import my_app, openai, pytest

        pytestmark = pytest.mark.soundalike(strict=True)

        def test_strict(soundalike):
            with pytest.raises(openai.BadRequestError):
                my_app.speak()

        @pytest.mark.soundalike(check=False)
        def test_unchecked(soundalike):
            with pytest.raises(openai.BadRequestError):
                my_app.speak()

        @pytest.mark.soundalike(strict=False, seed=1)
        def test_seeded(soundalike):
            my_app.speak()
            print("id", soundalike.requests[0].id)
        """
    )
    results = [run(pytester, "--strict-markers", "-s") for _ in range(2)]
    for result in results:
        result.assert_outcomes(passed=3, errors=1)
        result.stdout.fnmatch_lines(["- no stub or recording answers request 1*"])
    first, second = ([line for line in r.outlines if "id req_" in line] for r in results)
    assert first == second
    assert len(first) == 1


@pytest.mark.parametrize(
    ("marker", "text"),
    [
        ("'real'", "the marker is soundalike(engine='stub'*"),
        ("engines='real'", "the marker is soundalike(engine='stub'*"),
        ("engine='whisper'", "engine is 'stub' or 'real', got 'whisper'"),
    ],
)
def test_a_wrong_marker_is_told(pytester: pytest.Pytester, marker: str, text: str) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.soundalike({marker})
        def test_one(soundalike): pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([text])


def test_the_real_engines_are_a_server_of_their_own(
    pytester: pytest.Pytester, model_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUNDALIKE_MODELS", str(model_store))
    pytester.makepyfile(
        """
        import my_app, pytest

        @pytest.mark.soundalike(engine="real")
        def test_one(soundalike, soundalike_server):
            assert len(my_app.speak()) > 1000
            assert not soundalike.url.startswith(soundalike_server.root)
        """
    )
    run(pytester, "-W", "error").assert_outcomes(passed=1)


def test_workers_have_a_server_each(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(
        """
        import my_app, os, pytest
        from pathlib import Path

        @pytest.mark.parametrize("n", range(8))
        def test_each(soundalike, soundalike_server, n):
            my_app.speak()
            name = os.environ["PYTEST_XDIST_WORKER"] + "-" + soundalike_server.root[-5:]
            Path(__file__).with_name(name).touch()
        """
    )
    run(pytester, "-n", "2").assert_outcomes(passed=8)
    servers = sorted(path.name for path in pytester.path.glob("gw*"))
    assert [name[:3] for name in servers] == ["gw0", "gw1"]
    assert servers[0][4:] != servers[1][4:]


def test_a_test_that_is_run_again_begins_anew(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import urllib.request
        from _pytest.runner import runtestprotocol

        late = []

        def pytest_runtest_protocol(item, nextitem):
            if item.name == "test_other":
                return None
            runtestprotocol(item, nextitem=nextitem, log=False)
            for url in late:
                urllib.request.urlopen(urllib.request.Request(
                    f"{url}/models", headers={"authorization": "Bearer sk-test"}
                )).close()
            item._initrequest()
            runtestprotocol(item, nextitem=nextitem)
            return True
        """
    )
    pytester.makepyfile(
        """
        from conftest import late

        def test_again(soundalike):
            assert not soundalike.requests
            soundalike.transcriptions.stub("never asked for")
            late.append(soundalike.url)
            assert len(late) == 2

        def test_other():
            pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["- stub-1 answered nothing: *never asked for*"])


def test_every_module_hides_from_tracebacks() -> None:
    names = [module.name for module in pkgutil.iter_modules(testing.__path__)]
    assert "plugin" in names
    for name in names:
        module = importlib.import_module(f"{testing.__name__}.{name}")
        assert vars(module).get("__tracebackhide__") is True, name
