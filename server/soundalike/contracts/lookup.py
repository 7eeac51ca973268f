"""From a model id to its contract, or to the error that an unknown or misplaced id gives."""

from collections.abc import Mapping
from typing import Literal, TypeVar

from soundalike.contracts.elsewhere import is_served_elsewhere
from soundalike.contracts.table import LOCAL_SPEECH, LOCAL_TRANSCRIPTION, PUBLIC_MODELS
from soundalike.contracts.terms import (
    Contract,
    Endpoint,
    SpeechContract,
    TranscriptionContract,
)
from soundalike.errors import InvalidRequestError, ModelNotFoundError, NotFoundError, shown

LocalModels = Mapping[str, Literal["speech", "transcription"]]
"""The ids of the models that this server has, and what they do."""

_LOCAL: dict[Literal["speech", "transcription"], Contract] = {
    "speech": LOCAL_SPEECH,
    "transcription": LOCAL_TRANSCRIPTION,
}

_C = TypeVar("_C", SpeechContract, TranscriptionContract)


def speech_contract(model: str | None, local: LocalModels) -> SpeechContract:
    """The contract of a model on `/v1/audio/speech`.

    A public id wins over a local model of the same name.

    Raises:
        InvalidRequestError: no model was named.
        ModelNotFoundError: there is no such model.
        NotFoundError: there is, but it does not speak.
    """
    return _contract(model, "speech", local, SpeechContract)


def transcription_contract(
    model: str | None, local: LocalModels, endpoint: Endpoint = "transcriptions"
) -> TranscriptionContract:
    """The contract of a model on `/v1/audio/transcriptions` or `/v1/audio/translations`.

    Raises:
        As `speech_contract`.
    """
    contract = _contract(model, endpoint, local, TranscriptionContract)
    if endpoint not in contract.endpoints:
        raise _wrong_endpoint(endpoint)
    return contract


def schema_contract(model: str | None, usual: _C) -> _C:
    """The contract of any name at all, under the rules of the schema: that of the public model of
    this name and kind, or else the usual one, widened.

    Raises:
        InvalidRequestError: no model was named.
    """
    if not model:
        raise _no_model()
    known = PUBLIC_MODELS[model].contract if model in PUBLIC_MODELS else usual
    return (known if isinstance(known, type(usual)) else usual).widened()


def _contract(model: str | None, endpoint: Endpoint, local: LocalModels, kind: type[_C]) -> _C:
    if not model:
        raise _no_model()
    contract: Contract
    if model in PUBLIC_MODELS:
        contract = PUBLIC_MODELS[model].contract
    elif model in local:
        contract = _LOCAL[local[model]]
    elif is_served_elsewhere(model):
        raise _wrong_endpoint(endpoint)
    else:
        raise ModelNotFoundError(
            f"The model `{shown(model)}` does not exist or you do not have access to it."
        )
    if not isinstance(contract, kind):
        raise _wrong_endpoint(endpoint)
    return contract


def _no_model() -> InvalidRequestError:
    return InvalidRequestError("you must provide a model parameter")


def _wrong_endpoint(endpoint: Endpoint) -> NotFoundError:
    return NotFoundError(f"Invalid URL (POST /v1/audio/{endpoint})")
