"""What a start loads, and what it leaves until it is needed."""

import asyncio
import gc
import queue
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import BaseModel

from soundalike.cli import main
from soundalike.cli.loading import unbuilt, uncollected
from soundalike.engines.base import EngineConfig
from soundalike.engines.pyttsx3 import language
from soundalike.engines.registry import Kind
from soundalike.runtime import work
from soundalike.runtime.base import Capabilities, Deployment
from soundalike.runtime.frames import (
    Frame,
    Opening,
    dump_capabilities,
    dump_opening,
    load_opening,
)
from soundalike.runtime.hosts import Host
from soundalike.runtime.links import ThreadLink
from soundalike.runtime.local import LocalRuntime

NATIVE = {"av", "numpy", "ctranslate2", "faster_whisper", "onnxruntime", "pyttsx3", "py3langid"}
SELDOM_NEEDED = {
    *("filelock", "huggingface_hub", "markdown_it", "opentelemetry.sdk", "prometheus_client"),
    "rich",
}

FAR_SIDE = {"soundalike.runtime.work", "soundalike.runtime.lanes", "soundalike.audio.confined"}
"""What belongs to hosts, which are processes of their own."""

Say = Callable[[Frame], None]
"""Has a host say a frame."""


def loaded(code: str, folder: Path) -> set[str]:
    """The modules in a fresh interpreter after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('loaded:', *sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    return set(done.stdout.rpartition("loaded:")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"]])
def test_help_leaves_the_signals_of_whoever_asks_for_it(arguments: list[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(arguments, standalone_mode=False) == 0
    assert signal.getsignal(signal.SIGTERM) is before
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(main, arguments, standalone_mode=False).result() == 0


def test_help_loads_neither_engines_nor_the_web_stack(tmp_path: Path) -> None:
    code = (
        "from soundalike.cli import main\n"
        "assert main(['--help'], standalone_mode=False) == 0\n"
        "try: main(['serve', '--help'])\n"
        "except SystemExit: pass"
    )
    modules = loaded(code, tmp_path)
    assert "soundalike.cli.serve" in modules
    assert not modules & (NATIVE | SELDOM_NEEDED | {"fastapi", "uvicorn"})


@pytest.mark.parametrize("engines", ["engine='stub'", ""], ids=["stub", "real"])
def test_a_server_loads_no_native_library_and_nothing_that_is_seldom_needed(
    engines: str, tmp_path: Path
) -> None:
    code = (
        "from soundalike.cli import serve\n"
        "from soundalike.app import create_app\n"
        "from soundalike.settings import Settings\n"
        "serve._load_web_stack()\n"
        f"create_app(Settings({engines}))"
    )
    modules = loaded(code, tmp_path)
    assert {"fastapi", "uvicorn"} <= modules
    assert not modules & (NATIVE | SELDOM_NEEDED | FAR_SIDE)


def test_a_host_awaits_its_engine_without_the_libraries_of_the_server(tmp_path: Path) -> None:
    modules = loaded("import soundalike.runtime.host", tmp_path)
    assert not modules & (NATIVE | {"asyncio", "click", "fastapi", "pydantic"})


def test_the_stub_opens_without_numpy(tmp_path: Path) -> None:
    code = (
        "from soundalike.engines.base import EngineConfig\n"
        "from soundalike.engines.registry import speech_engine, transcription_engine\n"
        "assert speech_engine('stub')(EngineConfig('stub')).voices()\n"
        "assert transcription_engine('stub')(EngineConfig('stub')).languages()"
    )
    assert not loaded(code, tmp_path) & NATIVE


@pytest.mark.parametrize("prepared", [False, True])
def test_a_host_loads_codecs_when_it_is_told_to(
    prepared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    monkeypatch.setattr(work, "_load_encoders", lambda: loads.append("encoders"))
    said: queue.Queue[Frame] = queue.Queue()
    host = work.EngineHost(said.put)
    opening = Opening("speech", EngineConfig("stub"), threads=1, depth=1)
    host.handle(Frame("open", value=dump_opening(opening)))
    assert said.get(timeout=10).op == "opened"
    for _ in range(2 * prepared):
        host.handle(Frame("prepare"))
    host.close()
    assert loads == ["encoders"] * prepared


def test_codecs_are_loaded_when_the_application_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Host, "prepare", lambda host: told.append(host.status.state))
    runtime = LocalRuntime([Deployment("stub", "speech", EngineConfig("stub"))], inline=True)

    async def test() -> None:
        await runtime.open()
        assert not told
        await runtime.start()
        await runtime.close()

    asyncio.run(test())
    assert told == ["ready"]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[tuple[Kind, Say]]:
    """The links that are made, in their order, as who is to hear of them and what they are told."""
    links: asyncio.Queue[tuple[Kind, Say]] = asyncio.Queue()

    class Told(ThreadLink):
        def send(self, frame: Frame) -> None:
            if frame.op == "open":
                links.put_nowait((load_opening(frame.value).kind, self._deliver))

    monkeypatch.setattr(ThreadLink, "open", lambda receive: asyncio.sleep(0, Told(receive)))
    return links


def test_engines_open_one_after_the_other_until_the_application_starts(
    opened: asyncio.Queue[tuple[Kind, Say]],
) -> None:
    told = Frame("opened", value=dump_capabilities(Capabilities(("en",))))
    kinds: tuple[Kind, ...] = ("speech", "transcription")
    of_both = [Deployment("stub", kind, EngineConfig("stub")) for kind in kinds]

    async def test() -> None:
        runtime = LocalRuntime(of_both, inline=True)
        opening = asyncio.create_task(runtime.open())
        kind, say = await opened.get()
        await asyncio.sleep(0)
        assert (kind, opened.empty()) == ("transcription", True)
        say(told)
        kind, say = await opened.get()
        assert kind == "speech"
        say(told)
        await opening
        await runtime.close()

        runtime = LocalRuntime(of_both, inline=True)
        opening = asyncio.create_task(runtime.open())
        starting = asyncio.create_task(runtime.start())
        links = dict([await opened.get(), await opened.get()])
        for say in links.values():
            say(told)
        await asyncio.gather(opening, starting)
        await runtime.close()
        assert links.keys() == set(kinds)
        assert opened.empty()

    asyncio.run(test())


def test_garbage_is_looked_for_again_after_loading() -> None:
    with suppress(ImportError), uncollected():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()


def test_models_are_built_when_they_are_first_used_if_they_were_defined_meanwhile() -> None:
    with suppress(ImportError), unbuilt():

        class Late(BaseModel):
            seconds: float

        raise ImportError

    class Early(BaseModel):
        seconds: float

    assert Early.__pydantic_complete__
    assert not Late.__pydantic_complete__
    assert Late(seconds=1).seconds == 1


def test_a_server_builds_nothing_of_the_document_that_nobody_has_asked_for(tmp_path: Path) -> None:
    code = (
        "from soundalike.cli import serve\n"
        "serve._load_web_stack()\n"
        "from fastapi.openapi.models import OpenAPI\n"
        "assert not OpenAPI.__pydantic_complete__"
    )
    assert "fastapi" in loaded(code, tmp_path)


def test_a_text_waits_for_the_classifier_that_is_being_read() -> None:
    language.load_classifier()
    assert language.identify("Das Wetter wird morgen im ganzen Land schön.") == "de"
