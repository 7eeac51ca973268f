"""What a host asks of its decoding process, see `soundalike.audio.decoder`."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

MAX_ORDER = 4096
"""Bytes of an order."""

FILES = 3
"""Those that come with an order: the upload, what its samples are written to, and the stream for
what there is to tell."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one decoding may use.

    Attributes:
        memory: bytes of address space beyond those that the process begins with.
        cpu_seconds: of processor time.
        output: bytes that a file may be made to have.
    """

    memory: int
    cpu_seconds: int
    output: int


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done with an upload: `decode` to samples at `rate` Hz, or `inspect`."""

    task: Literal["decode", "inspect"]
    rate: int
    max_seconds: float
    limits: Limits

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def parse(data: bytes) -> "Order":
        fields = json.loads(data)
        return Order(**fields | {"limits": Limits(**fields["limits"])})
