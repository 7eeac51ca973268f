"""JSON as the live service writes it: compact, raw UTF-8, and with its two spellings of numbers.

whisper-1 holds every float in single precision and prints it as a double, as Python would
(`0.4000000059604645`, `1e-05`); `single` and `repr` reproduce that. The gpt-4o family prints
doubles as Rust's serde_json does (`0.00001`, `1e-6`); that is `ryu`.
"""

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "str | int | float | Sequence[Json] | Mapping[str, Json] | None"
Number = Callable[[float], str]


def single(value: float) -> float:
    """The nearest single-precision number, widened to a double again."""
    widened: float = struct.unpack("f", struct.pack("f", value))[0]
    return widened


def ryu(value: float) -> str:
    """The shortest digits that give `value` again, laid out as serde_json lays them out.

    Decimal notation from 1e-5 to below 1e16, always with a fraction; scientific elsewhere, its
    exponent without plus sign or leading zero. Python's repr has the same digits.
    """
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text
    power = int(exponent)
    if power != -5:
        return f"{mantissa}e{power}"
    sign = "-" if mantissa.startswith("-") else ""
    return f"{sign}0.0000{mantissa.lstrip('-').replace('.', '')}"


def compact(value: Json, number: Number = ryu) -> str:
    """`value` as JSON without any white space, its floats spelled by `number`.

    Raises:
        ValueError: a float is infinite or not a number; JSON has no word for those.
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"JSON cannot hold {value}")
        return number(value)
    if isinstance(value, Mapping):
        pairs = (f"{compact(key)}:{compact(item, number)}" for key, item in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(compact(item, number) for item in value) + "]"
    return json.dumps(value)
