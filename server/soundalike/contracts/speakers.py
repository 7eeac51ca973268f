"""`known_speaker_names[]` and `known_speaker_references[]`: samples of voices that a model which
tells speakers apart is to know by name.

They are checked and then left alone: no engine here tells speakers apart.
"""

from collections.abc import Mapping, Sequence

from soundalike.contracts.terms import Refusal
from soundalike.contracts.validator import Fault, fault

MAX_SPEAKERS = 4

_NAMES = "known_speaker_names"
_REFERENCES = "known_speaker_references"
_UNPAIRED = Refusal(  # chosen, as is the next: the service's wording is not recorded
    f"'{_NAMES}' and '{_REFERENCES}' must have the same number of items.",
    _REFERENCES,
    "invalid_value",
)
_NO_DATA_URL = Refusal(
    f"Invalid value for '{_REFERENCES}': expected data URLs.", _REFERENCES, "invalid_value"
)

Form = Mapping[str, Sequence[str]]


def speaker_faults(form: Form) -> list[Fault]:
    """More speakers than the specification allows."""
    counts = {field: len(form.get(f"{field}[]", ())) for field in (_NAMES, _REFERENCES)}
    return [
        fault(
            "too_long",
            field,
            f"List should have at most {MAX_SPEAKERS} items after validation, not {count}",
            field_type="List",
            max_length=MAX_SPEAKERS,
            actual_length=count,
        )
        for field, count in counts.items()
        if count > MAX_SPEAKERS
    ]


def check_speakers(form: Form) -> None:
    """Refuses names without samples, samples without names, and samples that are no data URLs."""
    references = form.get(f"{_REFERENCES}[]", ())
    if len(form.get(f"{_NAMES}[]", ())) != len(references):
        raise _UNPAIRED.error()
    if not all(one.startswith("data:") and "," in one for one in references):
        raise _NO_DATA_URL.error()
