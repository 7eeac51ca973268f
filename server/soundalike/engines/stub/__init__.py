"""The stub engine: speech and recognition for tests, with no model and no native library.

It speaks text as tones that carry the text itself, so that its recogniser hears exactly what was
said, through any codec, resampling or restart. Both sides are deterministic to the byte. It opens
without numpy, which is imported with the first job.
"""

from soundalike.engines.stub.hearing import StubTranscriptionEngine
from soundalike.engines.stub.speech import StubSpeechEngine

__all__ = ["StubSpeechEngine", "StubTranscriptionEngine"]
