"""A local emulator of the OpenAI Audio API."""

import os

# onnxruntime, which finds speech in silence, else keeps a device id and would send telemetry.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
