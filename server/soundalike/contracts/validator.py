"""The errors of the service's validator: the repr of a list of pydantic errors, as a message.

A fault is what pydantic calls an error's details. All faults of a request are told at once.
"""

from collections.abc import Iterable, Mapping, Sequence

from soundalike.errors import ValidationError

Fault = Mapping[str, object]

_SHOWN = ("type", "loc", "msg", "ctx")


def fault(kind: str, field: str, message: str, **context: object) -> Fault:
    """One fault of a field of the body; `context` holds the values that the rule compares with."""
    details: dict[str, object] = {"type": kind, "loc": ("body", field), "msg": message}
    return details | ({"ctx": context} if context else {})


def validator_error(faults: Iterable[Fault]) -> ValidationError:
    """The error for one or more faults, or for pydantic's `errors()`.

    The service omits `input`, but for a missing file, where it is None.
    """
    return ValidationError(str([{key: one[key] for key in _keys(one)} for one in faults]))


def missing_file() -> ValidationError:
    """The error for a form without its file."""
    return missing_fields(["file"])


def missing_fields(fields: Iterable[str]) -> ValidationError:
    """The error for a form without fields that it must have; only here is `input` told."""
    faults = [fault("missing", field, "Field required") for field in fields]
    return ValidationError(str([{**one, "input": None} for one in faults]))


def enum_fault(field: str, choices: Sequence[str]) -> Fault:
    """The value is not one of a fixed set, which the message lists in the set's own order."""
    quoted = [f"'{choice}'" for choice in choices]
    expected = " or ".join([", ".join(quoted[:-1]), quoted[-1]])
    return fault("enum", field, f"Input should be {expected}", expected=expected)


def string_fault(field: str, value: object, longest: int, *, empty: bool = True) -> Fault | None:
    """What is wrong with a text, if anything. `longest` counts code points."""
    if not isinstance(value, str):
        return fault("string_type", field, "Input should be a valid string")
    if any("\ud800" <= character <= "\udfff" for character in value):
        message = "Input should be a valid string, unable to parse raw data as a unicode string"
        return fault("string_unicode", field, message)
    if not value and not empty:
        message = "String should have at least 1 character"
        return fault("string_too_short", field, message, min_length=1)
    if len(value) > longest:
        message = f"String should have at most {longest} characters"
        return fault("string_too_long", field, message, max_length=longest)
    return None


def number(value: object) -> float | None:
    """A number, or a string that spells one; None for anything else."""
    if not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def number_fault(field: str, value: object, least: float, most: float) -> Fault | None:
    """What is wrong with a number that must lie between two others, if anything."""
    parsed = number(value)
    if parsed is None and isinstance(value, str):
        message = "Input should be a valid number, unable to parse string as a number"
        return fault("float_parsing", field, message)
    if parsed is None:
        return fault("float_type", field, "Input should be a valid number")
    if parsed > most:
        message = f"Input should be less than or equal to {most:g}"
        return fault("less_than_equal", field, message, le=float(most))
    if not parsed >= least:
        message = f"Input should be greater than or equal to {least:g}"
        return fault("greater_than_equal", field, message, ge=float(least))
    return None


def _keys(details: Fault) -> Iterable[str]:
    return (key for key in _SHOWN if details.get(key) is not None)
