"""Speech by espeak-ng through pyttsx3: small, quick, and in more than a hundred languages."""

from soundalike.engines.pyttsx3.engine import Pyttsx3Engine

__all__ = ["Pyttsx3Engine"]
