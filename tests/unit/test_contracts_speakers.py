"""Samples of known speakers: what is refused, and in which words."""

import pytest

from soundalike.contracts.table import GPT_4O_DIARIZE, GPT_4O_TRANSCRIBE, LOCAL_TRANSCRIPTION
from soundalike.contracts.terms import TranscriptionContract
from soundalike.contracts.transcription import transcription_request
from soundalike.errors import InvalidRequestError, ValidationError

SAMPLE = "data:audio/wav;base64,UklGRg=="


def ask(contract: TranscriptionContract, names: int, references: list[str]) -> None:
    form = {
        "model": ["any"],
        "known_speaker_names[]": [f"speaker {number}" for number in range(names)],
        "known_speaker_references[]": references,
    }
    transcription_request(contract, "any", form)


@pytest.mark.parametrize("speakers", [0, 1, 4])
def test_up_to_four_speakers_are_taken(speakers: int) -> None:
    ask(GPT_4O_DIARIZE, speakers, [SAMPLE] * speakers)


@pytest.mark.parametrize("contract", [GPT_4O_DIARIZE, GPT_4O_TRANSCRIBE])
def test_the_validator_counts_speakers(contract: TranscriptionContract) -> None:
    with pytest.raises(ValidationError) as caught:
        ask(contract, 5, [SAMPLE] * 6)
    assert caught.value.message == (
        "[{'type': 'too_long', 'loc': ('body', 'known_speaker_names'), "
        "'msg': 'List should have at most 4 items after validation, not 5', "
        "'ctx': {'field_type': 'List', 'max_length': 4, 'actual_length': 5}}, "
        "{'type': 'too_long', 'loc': ('body', 'known_speaker_references'), "
        "'msg': 'List should have at most 4 items after validation, not 6', "
        "'ctx': {'field_type': 'List', 'max_length': 4, 'actual_length': 6}}]"
    )


@pytest.mark.parametrize("contract", [GPT_4O_DIARIZE, LOCAL_TRANSCRIPTION])
@pytest.mark.parametrize(
    ("names", "references"),
    [
        (2, [SAMPLE]),
        (0, [SAMPLE]),
        (1, []),
        (1, ["UklGRg=="]),
        (1, ["https://example.org/a.wav"]),
        (1, ["data:audio/wav"]),
    ],
)
def test_each_name_needs_a_sample(
    contract: TranscriptionContract, names: int, references: list[str]
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        ask(contract, names, references)
    assert (caught.value.param, caught.value.code) == (
        "known_speaker_references",
        "invalid_value",
    )


def test_a_model_that_does_not_tell_speakers_apart_ignores_them() -> None:
    ask(GPT_4O_TRANSCRIBE, 2, ["no sample"])
