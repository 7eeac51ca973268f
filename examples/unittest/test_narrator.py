"""soundalike with unittest: a server for the module, a scope for each test."""

import os
import tempfile
import unittest
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import openai

from soundalike.testing import Soundalike, serve

_module = ExitStack()


def setUpModule() -> None:
    global server
    server = _module.enter_context(serve())


def tearDownModule() -> None:
    _module.close()


def narrate(text: str, path: Path) -> None:
    """What is tested."""
    with openai.OpenAI() as client:
        spoken = client.audio.speech.create(model="tts-1", voice="nova", input=text)
        spoken.write_to_file(path)


class Narrating(unittest.TestCase):
    def setUp(self) -> None:
        self.soundalike: Soundalike = self.enterContext(server.scope())
        self.enterContext(mock.patch.dict(os.environ, self.soundalike.environment))
        self.target = Path(self.enterContext(tempfile.TemporaryDirectory())) / "tale.mp3"

    def test_the_answer_is_written_to_the_file(self) -> None:
        narrate("Once upon a time.", self.target)
        (request,) = self.soundalike.verify(1, voice="nova", text="Once upon a time.")
        self.assertEqual(self.target.read_bytes(), request.response)

    def test_a_busy_service_is_asked_again(self) -> None:
        self.soundalike.fault("status", status=503, retry_after_ms=1, times=1)
        narrate("Once more.", self.target)
        self.assertEqual([r.status for r in self.soundalike.requests], [503, 200])


if __name__ == "__main__":
    unittest.main()
