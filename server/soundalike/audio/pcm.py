"""The two shapes in which sound moves through the server."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # a host that is only being opened does not wait for numpy
    import numpy as np
    from numpy.typing import NDArray

Pcm: TypeAlias = "NDArray[np.int16]"
"""Mono signed 16-bit PCM, shape (samples,)."""

Samples: TypeAlias = "NDArray[np.float32]"
"""Mono float audio, shape (samples,), in the range -1 to 1."""

SPEECH_RATE = 24_000
"""Hz. What the speech endpoint delivers, in every format."""

RECOGNITION_RATE = 16_000
"""Hz. What Whisper listens at."""
