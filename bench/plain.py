"""Plain faster-whisper, in this process, with its defaults and all cores: what ours is held to."""

import os
import time
from pathlib import Path

from faster_whisper import WhisperModel

from bench.reading import Word
from bench.stamps import Segment


class Plain:
    def __init__(self, weights: Path) -> None:
        self._model = WhisperModel(
            str(weights), device="cpu", compute_type="int8", cpu_threads=os.cpu_count() or 1
        )

    def transcribe(self, file: Path, *, led: bool = True) -> tuple[float, list[Segment]]:
        """Seconds from the file to the last segment, and the segments.

        Args:
            led: each window of 30 s is given the text of the one before, as by default.
        """
        began = time.perf_counter()
        segments, _ = self._model.transcribe(str(file), condition_on_previous_text=led)
        heard = [Segment(segment.start, segment.end, segment.text) for segment in segments]
        return time.perf_counter() - began, heard

    def words(self, file: Path) -> list[Word]:
        """The words heard in a file, with their times."""
        segments, _ = self._model.transcribe(str(file), language="en", word_timestamps=True)
        return [
            Word(word.word.strip(), float(word.start), float(word.end))
            for segment in segments
            for word in segment.words
        ]
