"""How Whisper is run on a machine: where, in which number type, on how many slots and threads."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

MOST_SLOTS = 4
"""More cores than this give a slot more threads: an encoder scales to a few of them, and every
slot takes memory."""

GPU_SLOTS = 2
"""On a GPU one slot prepares while the other computes."""

SLOT_PER_WEIGHTS = 0.8
"""Memory of a slot at work on a full window, in sizes of the weights' file (which are float16).
Measured with Whisper base on CTranslate2, which needs more than our own network; larger ones need
less in proportion."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to run on.

    Attributes:
        cores: that this process may use.
        gpus: that CTranslate2 can use.
        memory: bytes that are free, or None where that cannot be told.
        number_types: CTranslate2's compute types by device, those that it is fast with.
    """

    cores: int
    gpus: int
    memory: int | None
    number_types: Mapping[str, AbstractSet[str]]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for; `auto` and 0 leave it to us."""

    device: str = "auto"
    compute_type: str = "auto"
    slots: int = 0
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Clips that are recognised at once, each on so many threads of that device. Our own network
    takes those of all slots for one encoding after the other."""

    device: str
    compute_type: str
    slots: int
    threads: int

    @property
    def on_onnxruntime(self) -> bool:
        """Whether our own network computes it, and not CTranslate2: it is for int8 on a CPU, where
        it takes two thirds of the time (docs/performance.md). `int8_float32` means the same
        numbers in CTranslate2."""
        return (self.device, self.compute_type) == ("cpu", "int8")


def planned(machine: Machine, wishes: Wishes, weights: int) -> Plan:
    """The plan for a machine.

    A GPU is used where there is one. The number type is the fastest that costs no words: float16
    on a GPU, int8 on a CPU, float32 where the device has no such thing. Cores go to slots first:
    in CTranslate2 two of one thread are done with short clips in 0.6 of the time of one of two
    threads (docs/performance.md).

    Args:
        weights: bytes of the weights' file. Slots whose work would not fit into the free memory
            beside the weights are not opened, but for one.
    """
    device = wishes.device
    if device == "auto":
        device = "cuda" if machine.gpus else "cpu"
    fastest = "float16" if device == "cuda" else "int8"
    supported = machine.number_types.get(device, frozenset())
    slots = wishes.slots or _slots(machine, device, weights)
    return Plan(
        device,
        wishes.compute_type
        if wishes.compute_type != "auto"
        else (fastest if fastest in supported else "float32"),
        slots,
        wishes.threads or max(1, machine.cores // slots),
    )


def _slots(machine: Machine, device: str, weights: int) -> int:
    if device == "cuda":
        return GPU_SLOTS
    wanted = min(MOST_SLOTS, machine.cores)
    if machine.memory is not None and weights:
        wanted = min(wanted, int((machine.memory - weights) / (SLOT_PER_WEIGHTS * weights)))
    return max(1, wanted)
