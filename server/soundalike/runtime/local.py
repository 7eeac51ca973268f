"""The runtime of one machine: a host for each local model, in a child process or in threads."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from pathlib import Path

from soundalike.audio.refusals import undecodable
from soundalike.engines.base import InspectionJob, SpeechJob, TranscriptionJob
from soundalike.engines.registry import Kind
from soundalike.runtime.base import Capabilities, Deployment, Load, Status
from soundalike.runtime.frames import load_event
from soundalike.runtime.hosts import Host
from soundalike.runtime.links import OpenLink, ProcessLink, ThreadLink
from soundalike.transcript import Inspected, TranscriptionEvent


class LocalRuntime:
    """Implements `soundalike.runtime.base.Runtime`.

    Args:
        deployments: the local models to serve.
        inline: engines in threads of this process instead of child processes.
        idle_unload: seconds without work after which a model leaves memory; 0 is never.
        queue_timeout: seconds that a request may wait in all for engines; 0 is no limit.
        stall_timeout: seconds in which an engine must open and its jobs come forward, before its
            process is killed; 0 is no limit. Threads cannot be killed.
    """

    def __init__(
        self,
        deployments: Iterable[Deployment],
        *,
        inline: bool = False,
        idle_unload: float = 0,
        queue_timeout: float = 0,
        stall_timeout: float = 0,
    ) -> None:
        open_link: OpenLink = ThreadLink.open if inline else ProcessLink.open
        self._hosts: dict[tuple[Kind, str], Host] = {}
        self._preloaded: list[Host] = []
        for deployment in deployments:
            host = Host(
                deployment,
                open_link,
                idle_unload,
                queue_timeout=queue_timeout,
                stall_timeout=0 if inline else stall_timeout,
            )
            self._hosts[deployment.kind, deployment.id] = host
            if deployment.preload:
                self._preloaded.append(host)
        # What listens comes first: its weights take the longest to load.
        self._preloaded.sort(key=lambda host: host.status.kind == "speech")

    async def open(self) -> None:
        """Open the engines that are to be preloaded, one after the other: whoever does not wait
        for `start` loads something meanwhile, and with all at once a machine of two cores would
        take a part of them from that. Codecs are left until `start`.

        Raises:
            As `start`.
        """
        for host in self._preloaded:
            await host.open()

    async def start(self) -> None:
        try:
            await asyncio.gather(*(host.open() for host in self._preloaded))
        finally:  # what failed is tried again
            for host in self._hosts.values():
                host.prepare()

    async def speak(self, model: str, job: SpeechJob) -> AsyncGenerator[bytes]:
        async with aclosing(self._hosts["speech", model].run(job)) as frames:
            async for frame in frames:
                yield frame.payload

    async def transcribe(
        self, model: str, job: TranscriptionJob
    ) -> AsyncGenerator[TranscriptionEvent]:
        async with aclosing(self._hosts["transcription", model].run(job)) as frames:
            async for frame in frames:
                event = load_event(frame.value)
                assert not isinstance(event, Inspected)
                yield event

    async def inspect(self, model: str, path: Path) -> Inspected:
        job = InspectionJob(path)
        async with aclosing(self._hosts["transcription", model].run(job)) as frames:
            async for frame in frames:
                found = load_event(frame.value)
                assert isinstance(found, Inspected)
                return found
        raise undecodable()

    async def capabilities(self, kind: Kind, model: str) -> Capabilities:
        return await self._hosts[kind, model].capabilities()

    def ready(self) -> tuple[Status, ...]:
        return tuple(host.status for host in self._hosts.values())

    def load(self) -> tuple[Load, ...]:
        return tuple(host.load for host in self._hosts.values())

    async def close(self) -> None:
        await asyncio.gather(*(host.close() for host in self._hosts.values()))
