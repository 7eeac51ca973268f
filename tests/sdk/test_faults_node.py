"""What docs/faults.md says of the Node SDK, row by row."""

import json
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openai
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
ROW = re.compile(r"^\| `(.+?)` \| (transcription|speech|stream) \| .+? \| (.+) \|$", re.MULTILINE)
ROWS = [(fault, request, said) for fault, request, said in ROW.findall(PAGE.read_text("utf-8"))]
NODE = Path(__file__).parent / "node"
TIMEOUT = 1000
"""Milliseconds that the clients wait for the headers of an answer."""

Met = Callable[[Sequence[tuple[str, str]]], list[tuple[dict[str, Any], int]]]


@pytest.fixture(scope="module")
def meet(stub_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Met:
    """Has the SDK make requests that ask for faults: what came of each, and how often it tried."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    recording = tmp_path_factory.mktemp("node") / "recording.wav"
    with openai.OpenAI(base_url=stub_server.base_url, api_key="sk-test") as client:
        client.audio.speech.create(
            model="tts-1", voice="alloy", input="One. Two. Three.", response_format="wav"
        ).write_to_file(recording)

    def met(rows: Sequence[tuple[str, str]]) -> list[tuple[dict[str, Any], int]]:
        asked = {
            "root": stub_server.root,
            "path": str(recording),
            "timeout": TIMEOUT,
            "rows": [(f"node-{n}", fault, request) for n, (fault, request) in enumerate(rows)],
        }
        done = subprocess.run(
            ["node", "faults.mjs", json.dumps(asked)],
            cwd=NODE,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return [(answer, sent) for answer, sent in json.loads(done.stdout)]

    return met


@pytest.fixture(scope="module")
def outcomes(meet: Met) -> dict[tuple[str, str], str]:
    """Of every row, in the words of the page."""
    kinds = ("transcription", "speech", "stream")
    good = dict(zip(kinds, meet([("", kind) for kind in kinds]), strict=True))
    met = meet([(fault, request) for fault, request, _ in ROWS])
    return {
        (fault, request): f"{worded(answer, good[request][0]['value'])}, {tries(sent)}"
        for (fault, request, _), (answer, sent) in zip(ROWS, met, strict=True)
    }


def worded(answer: dict[str, Any], good: Any) -> str:
    if "pending" in answer:
        return "nothing"
    if "error" in answer:
        return f"`{answer['error']}`"
    value = answer["value"]
    if value == good:
        return "the answer"
    if value == {"string": good}:
        return "the JSON as a string"
    if isinstance(good, str):  # audio, in base64
        value, good = b64decode(value), b64decode(good)
    if len(value) < len(good) and value and good[: len(value)] == value:
        return "a part of it"
    return "other bytes" if len(value) == len(good) else "something else"


def tries(sent: int) -> str:
    return f"{sent} request{'s' if sent > 1 else ''}"


@pytest.mark.parametrize(("fault", "request_kind", "said"), ROWS)
def test_the_node_sdk_does_what_the_page_says(
    outcomes: dict[tuple[str, str], str], fault: str, request_kind: str, said: str
) -> None:
    assert outcomes[fault, request_kind] == said


def test_node_does_not_try_an_upload_from_a_stream_again(meet: Met) -> None:
    rows = [("status; status=500", "streamedTranscription"), ("reset", "streamedTranscription")]
    assert meet(rows) == [
        ({"error": "InternalServerError"}, 1),
        ({"error": "APIConnectionError"}, 1),
    ]
