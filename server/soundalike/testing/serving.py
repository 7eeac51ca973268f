"""Servers for tests."""

import itertools
import os
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import anyio.to_thread
from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from soundalike.api.service import Service
from soundalike.app import create_app
from soundalike.errors import InvalidRequestError, UndecodableAudioError
from soundalike.fixture.scopes import DEFAULT
from soundalike.serving import server_options
from soundalike.settings import ENV_PREFIX, SECRETS, Settings
from soundalike.testing.conditions import refused, unknown
from soundalike.testing.hosting import HOST, Hosted
from soundalike.testing.scope import Ground, Soundalike

__tracebackhide__ = True

EngineChoice = Literal["stub", "real"]

_OURS = ("engine", "fixture", "host", "port")
"""Settings that follow from what such a server is."""


class Server(Soundalike):
    """A server in this process; also the scope of requests whose URL names none.

    Attributes:
        engine: `stub` or `real`.
        root: URL without a path.
    """

    def __init__(
        self,
        root: str,
        engine: EngineChoice,
        ground: Ground,
        *,
        strict: bool = False,
    ) -> None:
        super().__init__(ground.scopes.get(DEFAULT), f"{root}/v1", ground)
        self.root = root
        self.engine = engine
        self.strict = self._strict = strict
        self._numbers = itertools.count(1)

    def scope(self, name: str | None = None) -> Soundalike:
        """The scope of that name, or a fresh one. It has a base URL of its own, and begins as
        strict as the server was started.

        Raises:
            ValueError: it is no name for a scope.
        """
        scopes = self._ground.scopes
        taken = {scope.name for scope in scopes.all()}
        if name is None:
            name = next(n for n in (f"scope-{i}" for i in self._numbers) if n not in taken)
        try:
            own = scopes.get(name)
        except InvalidRequestError as error:
            raise ValueError(error.message) from None
        handle = Soundalike(own, f"{self.root}/s/{name}/v1", self._ground)
        if name not in taken:
            handle.strict = self._strict
        return handle


@contextmanager
def serve(
    *,
    engine: EngineChoice = "stub",
    seed: int | None = None,
    strict: bool = False,
    start_timeout: float = 10,
    **settings: Any,
) -> Generator[Server]:
    """A server in this process, on a free port of 127.0.0.1, for as long as the `with` block.

    Args:
        engine: `stub` needs no model, answers at once and to the byte as always; `real` speaks and
            recognises as `soundalike serve` does. Missing weights are taken from installed wheels,
            and from the network with `offline=False`.
        seed: of all its scopes, see `Soundalike.seed`; unset, request ids and dates differ in
            every run.
        strict: of the scopes that are made here, see `Soundalike.strict`.
        start_timeout: seconds until it must answer.
        settings: others of the server, by the names in `docs/configuration.md`. Variables of the
            environment do not count, but for `SOUNDALIKE_MODELS` with the real engines.

    Raises:
        TypeError: there is no such setting, or it cannot be chosen here.
        ValueError: a setting has no such value.
        TimeoutError: it did not start in time.
        Exception: whatever else kept it from starting.
    """
    with TemporaryDirectory(prefix="soundalike-") as temporary:
        folder = Path(temporary)
        chosen = _settings(engine, folder, {**settings, "seed": seed})
        _pull_missing(chosen)
        app = create_app(chosen)
        hosted = Hosted(app, server_options(chosen))
        try:
            hosted.start(lambda: app.state.service.runtime.start(), start_timeout)
            ground = Ground(app.state.scopes, _audio_check(app.state.service, hosted))
            yield Server(f"http://{HOST}:{hosted.port}", engine, ground, strict=strict)
        finally:
            hosted.stop()


@asynccontextmanager
async def aserve(
    *,
    engine: EngineChoice = "stub",
    seed: int | None = None,
    strict: bool = False,
    start_timeout: float = 10,
    **settings: Any,
) -> AsyncGenerator[Server]:
    """The same as `serve`, for an `async with` block. The server has a thread and an event loop of
    its own here too, so that it answers whatever the test's loop is doing."""
    serving = serve(
        engine=engine, seed=seed, strict=strict, start_timeout=start_timeout, **settings
    )
    server = await anyio.to_thread.run_sync(serving.__enter__)
    try:
        yield server
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(serving.__exit__, None, None, None)


class _TestSettings(Settings):
    """Settings that are given and no others: what is set for a developer's own server must not
    change a test."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,
        **named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, others, named
        return (init_settings,)


def _settings(engine: EngineChoice, folder: Path, given: dict[str, Any]) -> Settings:
    known = Settings.model_fields.keys() - _OURS
    for name in given:
        if name in _OURS:
            raise TypeError(f"the setting {name!r} cannot be chosen here")
        if name not in known:
            raise TypeError(unknown("setting", name, known))
    values: dict[str, Any] = {"fixture": "on", "offline": True}
    if engine == "stub":
        values |= {"engine": "stub", "runtime": "inline", "models": folder / "models"}
    elif engine == "real":
        models = os.environ.get(f"{ENV_PREFIX}MODELS")
        values |= {"models": models} if models else {}
    else:
        raise ValueError(f"engine is 'stub' or 'real', got {engine!r}")
    try:
        return _TestSettings(**values | given)
    except ValidationError as error:
        raise refused(error, _TestSettings, secrets=SECRETS) from None


def _audio_check(service: Service, hosted: Hosted) -> Callable[[Path], bool]:
    """Tells whether a file is audio, where the server's uploads are decoded."""

    def is_audio(path: Path) -> bool:
        try:
            hosted.call(service.runtime.inspect(service.models.transcription, path))
        except UndecodableAudioError:
            return False
        return True

    return is_audio


def _pull_missing(settings: Settings) -> None:
    """Make sure that the weights are there which the settings name."""
    if settings.transcription_engine_name != "whisper":
        return
    from soundalike.store.folder import ModelStore
    from soundalike.store.pull import ensure

    store = ModelStore(settings.models)
    ensure(store, settings.whisper_model, lambda *_: None, offline=settings.offline)
