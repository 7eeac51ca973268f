"""Pulling from the Hugging Face Hub, against a local server that speaks its protocol.

Every pull runs in a child process, because huggingface_hub reads `HF_ENDPOINT` and the other
`HF_*` variables when it is imported; so they are set here as a user sets them. A child's home
directory is empty, and must be so afterwards.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

REPOSITORY = "someone/faster-whisper-small"
REVISION = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = hashlib.shake_256(b"weights").digest(700_000)
CONTENT = {"model.bin": WEIGHTS, "config.json": b'{"alignment_heads": []}'}
RESOLVED = f"/{REPOSITORY}/resolve/{REVISION}/"

CHILD = """
import json, sys
from pathlib import Path
from soundalike.store.catalog import read_catalog
from soundalike.store.errors import PullError
from soundalike.store.folder import ModelStore
from soundalike.store.pull import pull

store, catalog, offline = sys.argv[1:]
known = read_catalog(Path(catalog).read_text())
seen = []
report = lambda file, done, total: seen.append([file, done, total])
try:
    pull(known["small"], ModelStore(Path(store), known), report, offline=offline == "offline")
    print(json.dumps({"error": "", "progress": seen}))
except PullError as error:
    print(json.dumps({"error": str(error), "progress": seen}))
"""


@dataclass
class Request:
    path: str
    range: str | None
    token: str | None
    sent: int = 0


@dataclass
class Hub:
    """What the server does and what it saw. Cuts are taken in turn by transfers of the weights:
    the connection breaks after so many bytes."""

    content: dict[str, bytes] = field(default_factory=lambda: dict(CONTENT))
    cuts: list[int] = field(default_factory=list)
    honours_ranges: bool = True
    cdn: str | None = None
    stalled: bool = False
    release: threading.Event = field(default_factory=threading.Event)
    requests: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    endpoint: str = ""

    def transfers(self) -> list[Request]:
        """The requests for the weights that were answered with bytes."""
        return [seen for seen in self.requests if seen.path.endswith("model.bin") and seen.sent]


class Handler(BaseHTTPRequestHandler):
    """`/{repository}/resolve/{revision}/{file}`, as the Hub answers it: small files directly,
    large ones by a redirect to a content network that honours ranges."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keeps the test's output clean."""

    def do_GET(self) -> None:
        hub = self.hub
        seen = Request(self.path, self.headers.get("Range"), self.headers.get("Authorization"))
        with hub.lock:
            hub.requests.append(seen)
        name = self.path.rpartition("/")[2]
        if self.path.startswith(RESOLVED) and name == "model.bin" and name in hub.content:
            self._redirect(hub.content[name], hub.cdn)
        elif self.path.startswith((RESOLVED, "/cdn/")) and name in hub.content:
            self._send(hub.content[name], seen)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _redirect(self, content: bytes, cdn: str | None) -> None:
        self.send_response(302)
        self.send_header("Location", f"{cdn or ''}/cdn/model.bin")
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, content: bytes, seen: Request) -> None:
        start = 0
        if seen.range and self.hub.honours_ranges:
            start = int(seen.range.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        with self.hub.lock:
            if self.path.startswith("/cdn/") and self.hub.cuts:
                body = body[: self.hub.cuts.pop(0)]
                self.close_connection = True
        seen.sent = len(body)
        self.wfile.write(body)
        if self.close_connection and self.hub.stalled:
            self.hub.release.wait(60)


def serving(hub: Hub) -> Iterator[Hub]:
    handler = type("BoundHandler", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        hub.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def hub() -> Iterator[Hub]:
    yield from serving(Hub())


@pytest.fixture
def other_host() -> Iterator[Hub]:
    yield from serving(Hub())


@dataclass
class Puller:
    """Runs `pull` in child processes, on one store."""

    folder: Path
    hub: Hub

    def __post_init__(self) -> None:
        self.home.mkdir()
        files = "\n".join(
            f"[[models.files]]\npath = '{name}'\nbytes = {len(content)}\n"
            f"sha256 = '{hashlib.sha256(content).hexdigest()}'"
            for name, content in CONTENT.items()
        )
        self.catalog.write_text(
            "[[models]]\nid = 'small'\nengine = 'whisper'\ndescription = 'made up'\n"
            f"licence = 'MIT'\nlanguages = ['en']\n{files}\n[[models.sources]]\n"
            "kind = 'wheels'\nrequirement = 'soundalike[small]'\n"
            "distributions = ['not-installed']\npieces = { 'model.bin' = ['a'] }\n"
            "[[models.sources]]\n"
            f"kind = 'hub'\nrepository = '{REPOSITORY}'\nrevision = '{REVISION}'\n"
        )

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def catalog(self) -> Path:
        return self.folder / "catalog.toml"

    @property
    def store(self) -> Path:
        return self.folder / "models"

    @property
    def partial(self) -> Path:
        return self.store / ".partial-small"

    def start(self, *, offline: bool = False, **variables: str) -> subprocess.Popen[str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("HF_") and not name.lower().endswith("_proxy")
        }
        environment = {
            **kept,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "HF_ENDPOINT": self.hub.endpoint,
            **variables,
        }
        arguments = [str(self.store), str(self.catalog), "offline" if offline else "online"]
        return subprocess.Popen(
            [sys.executable, "-c", CHILD, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *, offline: bool = False, **variables: str) -> tuple[str, list[list[int]]]:
        """The error of a pull, empty if there was none, and what it reported of the weights."""
        return finish(self.start(offline=offline, **variables))

    def assert_whole(self) -> None:
        folder = self.store / "small"
        got = {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}
        assert got == CONTENT
        assert not self.partial.exists()
        assert list(self.home.iterdir()) == [], "nothing is written outside the store"


def finish(child: subprocess.Popen[str]) -> tuple[str, list[list[int]]]:
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert err == "", "no library's own progress bar, no warning"
    answer = json.loads(out)
    return answer["error"], [
        [done, total] for file, done, total in answer["progress"] if file == "model.bin"
    ]


@pytest.fixture
def puller(tmp_path: Path, hub: Hub) -> Puller:
    return Puller(tmp_path, hub)


def test_a_model_comes_from_the_pinned_revision_with_progress_and_only_once(
    puller: Puller, hub: Hub
) -> None:
    error, progress = puller.run()
    assert error == ""
    puller.assert_whole()
    assert [seen.path for seen in hub.requests] == [
        f"{RESOLVED}model.bin",
        "/cdn/model.bin",
        f"{RESOLVED}config.json",
    ]
    assert all(seen.token is None for seen in hub.requests)
    assert progress[0] == [0, len(WEIGHTS)]
    assert progress[-1] == [len(WEIGHTS), len(WEIGHTS)]
    assert progress == sorted(progress)
    assert len(progress) > 3
    hub.requests.clear()
    assert puller.run() == ("", [])
    assert hub.requests == []


def test_a_pull_that_was_killed_is_resumed_with_a_range(puller: Puller, hub: Hub) -> None:
    hub.cuts, hub.stalled = [300_000], True
    child = puller.start()
    weights = puller.partial / "model.bin"
    deadline = time.monotonic() + 30
    while not weights.exists() or weights.stat().st_size < 200_000:
        assert time.monotonic() < deadline, "the transfer did not get under way"
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    hub.release.set()
    hub.stalled = False
    had = weights.stat().st_size
    assert not (puller.store / "small").exists()
    hub.requests.clear()

    error, progress = puller.run()
    assert error == ""
    puller.assert_whole()
    (transfer,) = hub.transfers()
    assert transfer.range == f"bytes={had}-"
    assert transfer.sent == len(WEIGHTS) - had
    assert progress[0] == [had, len(WEIGHTS)]


def test_a_transfer_that_breaks_is_taken_up_where_it_broke(puller: Puller, hub: Hub) -> None:
    hub.cuts = [200_000, 100_000]
    error, _ = puller.run()
    assert error == ""
    puller.assert_whole()
    assert [seen.range for seen in hub.transfers()] == [None, "bytes=200000-", "bytes=300000-"]
    assert sum(seen.sent for seen in hub.transfers()) == len(WEIGHTS)


def test_a_link_that_brings_nothing_more_is_given_up_and_its_bytes_are_kept(
    puller: Puller, hub: Hub
) -> None:
    hub.cuts = [200_000, 0, 0]
    error, _ = puller.run()
    assert "Hugging Face Hub (someone/faster-whisper-small)" in error
    assert "\n" not in error
    assert (puller.partial / "model.bin").read_bytes() == WEIGHTS[:200_000]
    hub.cuts.clear()
    assert puller.run()[0] == ""
    puller.assert_whole()


def test_a_server_that_ignores_ranges_is_put_up_with(puller: Puller, hub: Hub) -> None:
    hub.honours_ranges = False
    hub.cuts = [200_000]
    assert puller.run()[0] == ""
    puller.assert_whole()
    assert [seen.sent for seen in hub.transfers()] == [200_000, len(WEIGHTS)]


def test_wrong_bytes_are_refused_with_both_hashes_and_the_source(puller: Puller, hub: Hub) -> None:
    hub.content["model.bin"] = wrong = b"\x00" + WEIGHTS[1:]
    error, _ = puller.run()
    assert "\n" not in error
    for part in (
        "model.bin",
        "Hugging Face Hub (someone/faster-whisper-small)",
        hashlib.sha256(WEIGHTS).hexdigest(),
        hashlib.sha256(wrong).hexdigest(),
    ):
        assert part in error
    assert not (puller.store / "small").exists()
    assert not (puller.partial / "model.bin").exists()


def test_a_file_that_the_hub_does_not_have_is_one_clear_line(puller: Puller, hub: Hub) -> None:
    del hub.content["config.json"]
    error, _ = puller.run()
    assert f"{hub.endpoint}{RESOLVED}config.json answered with HTTP 404" in error
    assert "\n" not in error
    assert not (puller.store / "small").exists()


def test_a_hub_out_of_reach_names_both_ways(puller: Puller) -> None:
    error, _ = puller.run(HF_ENDPOINT="http://127.0.0.1:1")
    assert "\n" not in error
    assert "not-installed is not installed" in error
    assert "pip install 'soundalike[small]'" in error
    assert "connect to the network and run: soundalike pull small" in error


def test_offline_asks_nobody(puller: Puller, hub: Hub) -> None:
    assert "not asked, being offline" in puller.run(offline=True)[0]
    assert "OfflineModeIsEnabled" in puller.run(HF_HUB_OFFLINE="1")[0]
    assert hub.requests == []


def test_a_token_goes_to_the_hub_and_to_nobody_else(
    puller: Puller, hub: Hub, other_host: Hub
) -> None:
    hub.cdn = other_host.endpoint.replace("127.0.0.1", "localhost")
    assert puller.run(HF_TOKEN="hf_made_up")[0] == ""
    puller.assert_whole()
    assert {seen.token for seen in hub.requests} == {"Bearer hf_made_up"}
    assert [(seen.path, seen.token) for seen in other_host.requests] == [("/cdn/model.bin", None)]


def test_processes_that_pull_at_the_same_time_share_one_download(puller: Puller, hub: Hub) -> None:
    children = [puller.start() for _ in range(3)]
    assert [finish(child)[0] for child in children] == ["", "", ""]
    puller.assert_whole()
    assert len(hub.transfers()) == 1
