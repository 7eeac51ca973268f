"""Recordings with the official Python SDK and two real servers."""

import json
from pathlib import Path

import openai
import pytest

from soundalike.testing import Soundalike, serve

KEY = "sk-of-the-client-0123456789abcdefghij"
FOX = "The quick brown fox jumped over the lazy dog."


def application(scope: Soundalike, folder: Path) -> dict[str, object]:
    """What a program does that speaks, and hears what it has spoken."""
    with openai.OpenAI(base_url=scope.url, api_key=KEY, max_retries=0) as client:
        path = folder / "fox.wav"
        with client.audio.speech.with_streaming_response.create(
            model="gpt-4o-mini-tts", voice="alloy", input=FOX, response_format="wav"
        ) as response:
            response.stream_to_file(path)
        heard = client.audio.transcriptions.create(
            model="whisper-1",
            file=path,
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
        stream = client.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=path, stream=True
        )
        events = [event.model_dump() for event in stream]
        with pytest.raises(openai.BadRequestError) as refused:
            client.audio.speech.create(model="tts-1", voice="alloy", input="", speed=9)
        return {
            "audio": path.read_bytes().hex(),
            "heard": heard.model_dump(),
            "events": events,
            "refused": refused.value.body,
            "models": [model.id for model in client.models.list()],
        }


def test_a_program_runs_the_same_without_the_service(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    with serve() as server:
        with serve() as upstream:
            recording = server.scope()
            recording.record(folder, upstream=upstream.url, record_errors=True)
            live = application(recording, tmp_path)
            assert len(upstream.requests) == 5
        assert isinstance(live["heard"], dict)
        assert live["heard"]["text"] == FOX
        replaying = server.scope()
        replaying.record(folder, "none")
        assert application(replaying, tmp_path) == live
        assert all(request.answered_by.startswith("recording:") for request in replaying.requests)
    names = {path.name for path in folder.iterdir()} - {".lock"}
    assert names == {
        "index.json",
        "0001-speech.wav",
        "0002-transcription.json",
        "0002-upload.wav",
        "0003-transcription.sse",
        "0004-speech.json",
        "0005-models.json",
    }
    assert (folder / "0001-speech.wav").read_bytes() == (folder / "0002-upload.wav").read_bytes()
    assert not any(KEY.encode() in path.read_bytes() for path in folder.iterdir())
    index = json.loads((folder / "index.json").read_bytes())
    assert index["recordings"][0]["request"]["fields"]["input"] == FOX
