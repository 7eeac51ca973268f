"""Everything that a running server writes: no key, no content, and no line that a client made."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

KEYS = ("sk-first-canary-key-0123456789", "sk-second-canary-key-0123456789")
WRONG = "sk-wrong-canary-key-9876543210"
CONTENT = "zebra canary quagga"
FORGED = "\r\n2026-01-01T00:00:00.000Z INFO soundalike.access: GET /forged 200\x1b[2K"
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "x-forwarded-proto", "x-forwarded-host")
FORGED_JSON = '\n{"time": "2026", "level": "info", "message": "forged"}\n'


@dataclass
class Server:
    base_url: str
    stdout: Path
    stderr: Path

    def written(self) -> str:
        return self.stdout.read_text("utf-8") + self.stderr.read_text("utf-8")


@contextmanager
def serving(folder: Path, *flags: str, **environment: str) -> Iterator[Server]:
    """A server on the stub engine whose output goes to files, until all of it is written."""
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "soundalike",
                "serve",
                "--engine",
                "stub",
                "--port",
                "0",
                *flags,
            ],
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, "SOUNDALIKE_API_KEYS": ",".join(KEYS), **environment},
        )
    server = Server("", out, err)
    try:
        for _ in range(1200):
            if found := re.search(r"http://[^\s\"]+/v1", server.written()):
                break
            assert process.poll() is None, server.written()
            time.sleep(0.05)
        assert found, server.written()
        server.base_url = found.group()
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()


def ask(base_url: str) -> None:
    """Requests of every kind, good and hostile, with content and keys in them."""
    with httpx.Client(base_url=base_url, headers={"authorization": f"Bearer {KEYS[0]}"}) as client:
        speech = {"model": "tts-1", "voice": "alloy", "input": CONTENT, "response_format": "wav"}
        audio = client.post("/audio/speech", json=speech | {"instructions": CONTENT})
        assert audio.status_code == 200
        for model in ("whisper-1", f"whisper-1{FORGED}", FORGED_JSON):
            for name in ("hello.wav", f"hello{FORGED}.wav", FORGED_JSON):
                client.post(
                    "/audio/transcriptions",
                    files={"file": (name, audio.content, "audio/wav")},
                    data={"model": model, "prompt": CONTENT, "language": "en"},
                )
            client.post("/audio/speech", json=speech | {"model": model})
        client.post("/audio/speech", content=CONTENT)
        for path in (FORGED, FORGED_JSON, "\u2028\u202e\x85"):
            client.get("/models/" + "".join(f"%{byte:02x}" for byte in path.encode()))
        client.get("/models", headers={"authorization": f"Bearer {WRONG}"})
        client.get("/models", headers={"authorization": ""}, params={"key": KEYS[1]})
        client.get("/models", headers={"x-request-id": "forged", "user-agent": "forged\tagent"})
        client.get("/models", headers=dict.fromkeys(FORWARDED, "6.6.6.6 forged"))
    _talk_rubbish(base_url)


def _talk_rubbish(base_url: str) -> None:
    url = urlsplit(base_url)
    for rubbish in (b"forged\x1b[2K\n\n", b"GET / HTTP/1.1\r\nhost: a\r\nforged\r\n\r\n"):
        with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
            connection.sendall(rubbish)
            connection.recv(1000)


def clean(text: str) -> None:
    """Holds no key whole, and no content."""
    for secret in (*KEYS, WRONG, CONTENT, "quagga"):
        assert secret not in text


@pytest.mark.parametrize("runtime", ["hosts", "inline"])
def test_json_is_one_object_a_line_without_keys_or_content(tmp_path: Path, runtime: str) -> None:
    flags = ("--log-format", "json", "--log-level", "debug", "--runtime", runtime)
    with serving(tmp_path, *flags) as server:
        ask(server.base_url)
    assert server.stdout.read_text("utf-8") == ""
    written = server.stderr.read_text("utf-8")
    clean(written)
    records: list[dict[str, Any]] = [json.loads(line) for line in written.splitlines()]
    for record in records:
        assert {"time", "level", "logger", "message"} <= set(record)
        assert record["message"] != "forged"
    accesses = [record for record in records if record["logger"] == "soundalike.access"]
    assert {record["route"] for record in accesses} >= {
        "/v1/audio/speech",
        "/v1/audio/transcriptions",
        "/v1/models/{model}",
        "/v1/models",
    }
    assert any(record.get("model") == f"whisper-1{FORGED}" for record in accesses)
    assert all(record["request_id"].startswith("req_") for record in accesses)
    assert {record["client"] for record in accesses} == {"127.0.0.1"}


def test_text_is_one_line_a_record_without_keys_or_content(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        ask(server.base_url)
    clean(server.written())
    lines = server.stderr.read_bytes().decode("utf-8").split("\n")
    assert lines.pop() == ""
    for line in lines:
        assert line.isprintable()
        assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (INFO|WARNING|ERROR) [\w.]+: ", line), line
    assert not any(line.startswith("2026-01-01T") for line in lines)
    assert any("\\r\\n2026-01-01T" in line for line in lines), "escaped, where a client sent it"


def test_content_is_logged_where_it_is_asked_for_and_keys_are_not(tmp_path: Path) -> None:
    with serving(tmp_path, "--log-content", "--log-format", "json") as server:
        ask(server.base_url)
    written = server.stderr.read_text("utf-8")
    assert CONTENT in written
    for key in (*KEYS, WRONG):
        assert key not in written
    for line in written.splitlines():
        json.loads(line)
