"""What the tests of hosts share: a host whose engine does what a test has it say."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any

import pytest

from soundalike.engines.base import EngineConfig, SpeechJob
from soundalike.errors import ServerError
from soundalike.runtime.base import Capabilities, Deployment
from soundalike.runtime.frames import Frame, dump_capabilities
from soundalike.runtime.hosts import Host
from soundalike.runtime.links import Receive


class FakeLink:
    """A link whose host says what a test has it say."""

    pid = None

    def __init__(self, receive: Receive, may_close: asyncio.Event) -> None:
        self.say = receive
        self.heard: list[Frame] = []
        self.closed = self.killed = False
        self._may_close = may_close

    def say_opened(self, language: str = "en") -> None:
        self.say(Frame("opened", value=dump_capabilities(Capabilities((language,)))))

    def say_failed(self) -> None:
        self.say(Frame("failed", value=ServerError("no such weights").fields()))

    def send(self, frame: Frame) -> None:
        frame.encode()
        self.heard.append(frame)

    def kill(self) -> None:
        self.killed = True
        self.say(None)

    async def close(self) -> None:
        await self._may_close.wait()
        self.closed = True

    def ops(self) -> list[str]:
        return [frame.op for frame in self.heard]


class Rig:
    """A host, and every link that it opened."""

    def __init__(self, *, queue: int = 0, idle_unload: float = 0, queue_timeout: float = 0) -> None:
        self.links: list[FakeLink] = []
        self.opened_again = asyncio.Event()
        self.may_close = asyncio.Event()
        self.may_close.set()
        deployment = Deployment("model", "speech", EngineConfig("stub"), depth=4, queue=queue)
        self.host = Host(deployment, self._open_link, idle_unload, queue_timeout=queue_timeout)

    async def _open_link(self, receive: Receive) -> FakeLink:
        link = FakeLink(receive, self.may_close)
        self.links.append(link)
        if len(self.links) == 2:
            self.opened_again.set()
        return link

    async def run(self) -> list[Frame]:
        async with aclosing(self.host.run(SpeechJob("text", "alloy"))) as frames:
            return [frame async for frame in frames]

    async def settled(self) -> None:
        """Everything that can go on without the world has gone on."""
        for _ in range(20):
            await asyncio.sleep(0)


@asynccontextmanager
async def _opened(**options: Any) -> AsyncGenerator[Rig]:
    rig = Rig(**options)
    opening = asyncio.create_task(rig.host.open())
    await rig.settled()
    rig.links[0].say_opened()
    await opening
    yield rig
    await rig.host.close()


@pytest.fixture(scope="session")
def new_rig() -> type[Rig]:
    return Rig


@pytest.fixture(scope="session")
def opened_rig() -> Callable[..., AbstractAsyncContextManager[Rig]]:
    """A rig whose engine is open; it is closed at the end."""
    return _opened
