"""Servers and scopes as a test of somebody else's gets them."""

from collections.abc import Iterator

import openai
import pytest

from soundalike.testing import Server, Soundalike, serve


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with serve() as server:
        yield server


@pytest.fixture
def scope(server: Server) -> Iterator[Soundalike]:
    """A fresh scope, which nothing checks."""
    scope = server.scope()
    yield scope
    scope.close()


@pytest.fixture
def client(scope: Soundalike) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=scope.url, api_key="sk-test", max_retries=0) as client:
        yield client


@pytest.fixture(scope="session")
def clip(server: Server) -> bytes:
    """Half a second or so of audio, as WAV."""
    with openai.OpenAI(base_url=server.url, api_key="sk-test") as client:
        spoken = client.audio.speech.create(
            model="tts-1", voice="alloy", input="Hello there.", response_format="wav"
        )
        return spoken.read()
