"""A small application that calls OpenAI's audio API. It knows nothing of soundalike."""

import time
from collections.abc import Iterator
from pathlib import Path

import openai

ATTEMPTS = 3
PAUSE = 0.01
"""Seconds between attempts; more in earnest."""


def transcribe(path: str) -> str:
    """What is said in a recording. The SDK itself asks again where the service is busy."""
    with openai.OpenAI() as client, Path(path).open("rb") as file:
        heard = client.audio.transcriptions.create(model="whisper-1", file=file, language="en")
    return heard.text


def captions(path: str) -> Iterator[str]:
    """The text in pieces, as the service hears them."""
    with openai.OpenAI() as client, Path(path).open("rb") as file:
        events = client.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=file, stream=True
        )
        for event in events:
            if event.type == "transcript.text.delta":
                yield event.delta


def minutes(path: str) -> list[str]:
    """Who said what, a line each."""
    with openai.OpenAI() as client, Path(path).open("rb") as file:
        heard = client.audio.transcriptions.create(
            model="gpt-4o-transcribe-diarize",
            file=file,
            response_format="diarized_json",
            chunking_strategy="auto",
        )
    return [f"{turn.speaker}: {turn.text.strip()}" for turn in heard.segments]


def subtitles(path: str) -> str:
    """Subtitles in SRT."""
    with openai.OpenAI() as client, Path(path).open("rb") as file:
        return client.audio.transcriptions.create(
            model="whisper-1", file=file, response_format="srt"
        )


def narrate(text: str, path: str) -> None:
    """Speak a text into a file. The SDK does not ask again once the answer has begun, so this
    does: a file that is there is whole."""
    target = Path(path)
    part = target.with_suffix(".part")
    with openai.OpenAI() as client:
        for attempt in range(ATTEMPTS):
            try:
                with client.audio.speech.with_streaming_response.create(
                    model="gpt-4o-mini-tts", voice="coral", input=text, response_format="wav"
                ) as spoken:
                    spoken.stream_to_file(part)
            except openai.APIStatusError:
                raise
            except Exception:
                if attempt + 1 == ATTEMPTS:
                    raise
                time.sleep(PAUSE)
            else:
                part.rename(target)
                return


async def transcribe_all(paths: list[str]) -> list[str]:
    """Several recordings, one after the other, on one connection."""
    texts = []
    async with openai.AsyncOpenAI() as client:
        for path in paths:
            data = Path(path).read_bytes()
            heard = await client.audio.transcriptions.create(
                model="gpt-4o-transcribe", file=(Path(path).name, data)
            )
            texts.append(heard.text)
    return texts
