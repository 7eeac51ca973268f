"""A local emulator of the OpenAI Audio API."""

__version__ = "0.1.0"
