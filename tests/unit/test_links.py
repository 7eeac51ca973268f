"""Links to host processes: whatever a process says or does, its end is seen and waited for."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from soundalike.runtime.frames import Frame
from soundalike.runtime.links import ProcessLink, _passed_on

FLOOD = """
import sys
from soundalike.runtime.frames import Frame
data = Frame("item", 1, payload=bytes(2**16)).encode()
{first}
while True:
    sys.stdout.buffer.write(data)
"""


async def linked(programme: str) -> tuple[ProcessLink, "asyncio.Queue[Frame | None]"]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", programme),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    received: asyncio.Queue[Frame | None] = asyncio.Queue()
    return ProcessLink(process, received.put_nowait), received


def test_a_process_that_does_not_stop_talking_is_ended_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("soundalike.runtime.links.GRACE", 0.1)

    async def test() -> None:
        link, received = await linked(FLOOD.format(first=""))
        assert await received.get() is not None
        async with asyncio.timeout(20):
            await link.close()
        assert link._process.returncode is not None

    asyncio.run(test())


@pytest.mark.parametrize(
    "header",
    [b"not json", b"5", b'["item"]', b"\\xff"],
)
def test_a_process_that_cannot_be_understood_is_ended_and_its_end_is_told(
    header: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    broken = (
        f"import struct; sys.stdout.buffer.write(struct.pack('>II', {len(header)}, 0) + {header!r})"
    )

    async def test() -> None:
        link, received = await linked(FLOOD.format(first=broken))
        async with asyncio.timeout(20):
            assert await received.get() is None
        assert link._process.returncode is not None
        await link.close()

    asyncio.run(test())


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs /proc")
def test_ctrl_c_is_kept_from_a_host_from_its_first_moment() -> None:
    """Before it has run a line of its own; and hosts that are started at once unblock it for the
    server, whichever is there first."""

    async def test() -> list[int]:
        links = await asyncio.gather(*(ProcessLink.open(lambda _: None) for _ in range(2)))
        blocked = [blocked_signals(link.pid) for link in links]
        await asyncio.gather(*(link.close() for link in links))
        return blocked

    assert [mask >> (signal.SIGINT - 1) & 1 for mask in asyncio.run(test())] == [1, 1]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def blocked_signals(pid: int | None) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("SigBlk:")[2].split()[0], 16)


def test_a_host_knows_of_the_environment_what_it_needs_and_no_secrets() -> None:
    needed = {
        *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "XDG_CACHE_HOME"),
        *(
            "PYTHONPATH",
            "PYDANTIC_DISABLE_PLUGINS",
            "VIRTUAL_ENV",
            "SystemRoot",
            "ESPEAK_DATA_PATH",
        ),
        *("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "CT2_VERBOSE", "MALLOC_ARENA_MAX"),
        *("SOUNDALIKE_LOG_FORMAT", "SOUNDALIKE_LOG_CONTENT", "HF_HUB_OFFLINE"),
    }
    secret = {
        *("DATABASE_URL", "SMTP_PASS", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "SENTRY_DSN"),
        *("OPENAI_API_KEY", "HF_TOKEN", "HF_HUB_TOKEN", "GITHUB_PAT", "HTTPS_PROXY"),
        *("SOUNDALIKE_API_KEYS", "SOUNDALIKE_API_KEYS_FILE", "SOUNDALIKE_CONTROL_TOKEN"),
        *("SOUNDALIKE_ENGINE_PASSWORD", "OTEL_EXPORTER_OTLP_HEADERS", "MYPATH", "PATH_TO_DOOM"),
    }
    assert set(_passed_on(dict.fromkeys(needed | secret, "x"))) == needed
