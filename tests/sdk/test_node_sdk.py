"""The official Node SDK against a real server with the real engines."""

from pathlib import Path
from typing import Any

LOVE = "Today is a wonderful day to build something people love!"


def test_the_seed_documents_node_examples_run(
    node_sdk: Any, real_server: Any, tmp_path: Path, word_error_rate: Any
) -> None:
    path = tmp_path / "speech.mp3"
    spoken = node_sdk(
        real_server.base_url,
        "speechFile",
        path=str(path),
        model="tts-1",
        voice="alloy",
        input=LOVE,
    )
    assert spoken["ok"]["type"] == "audio/mpeg"
    assert spoken["ok"]["bytes"] == path.stat().st_size > 10_000

    heard = node_sdk(real_server.base_url, "transcribe", path=str(path), model="whisper-1")
    assert word_error_rate(LOVE, heard["ok"]["text"]) <= 0.15

    translated = node_sdk(real_server.base_url, "translate", path=str(path), model="whisper-1")
    assert word_error_rate(LOVE, translated["ok"]["text"]) <= 0.3


def test_every_format_comes_as_node_asks_for_it(
    node_sdk: Any, stub_server: Any, tmp_path: Path
) -> None:
    for audio_format in ("mp3", "opus", "aac", "flac", "wav", "pcm"):
        path = tmp_path / f"speech.{audio_format}"
        answer = node_sdk(
            stub_server.base_url,
            "speechFile",
            path=str(path),
            model="gpt-4o-mini-tts",
            voice="cedar",
            input="Hello there.",
            response_format=audio_format,
        )
        assert answer["ok"]["bytes"] > 1000, answer


def test_models_are_listed(node_sdk: Any, stub_server: Any) -> None:
    listed = node_sdk(stub_server.base_url, "models")["ok"]
    assert {"whisper-1", "tts-1", "gpt-4o-transcribe"} <= set(listed)


def test_errors_arrive_in_the_sdks_own_classes(node_sdk: Any, stub_server: Any) -> None:
    answer = node_sdk(
        stub_server.base_url,
        "speechFile",
        path="/dev/null",
        model="tts-1",
        voice="nobody",
        input="Hello.",
    )
    assert answer["error"]["class"] == "BadRequestError"
    assert answer["error"]["status"] == 400
    assert "'alloy'" in answer["error"]["message"]
    assert answer["error"]["requestId"].startswith("req_")
