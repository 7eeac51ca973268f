"""What a contract can say: the fields of the table, and how a refusal is worded."""

from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

from soundalike.errors import InvalidRequestError
from soundalike.formats import ResponseFormat
from soundalike.formats.usage import UsageKind

Endpoint = Literal["speech", "transcriptions", "translations"]
Rules = Literal["service", "schema"]
"""What is refused: all that the live service refuses, or only what the formal schema does."""

SpeechFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]

SPEECH_FORMATS: tuple[SpeechFormat, ...] = ("mp3", "opus", "aac", "flac", "wav", "pcm")
"""In the order of the specification, which a refusal repeats."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The 400 of one rule; `message` may have places for `str.format`."""

    message: str
    param: str | None = None
    code: str | None = None

    def error(self, *, billed: bool = False, **details: object) -> InvalidRequestError:
        message = self.message.format(**details)
        return InvalidRequestError(message, param=self.param, code=self.code, billed=billed)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechContract:
    """What a model of `/v1/audio/speech` takes.

    Attributes:
        voices: their names, in the order in which a refusal lists them; None for whatever the
            engine speaks.
        voices_checked_early: the validator knows the voices, and refuses others with its enum
            error; else the model's backend does, in words of its own.
        custom_voices: `{"id": ...}` is a voice too.
        max_characters: longest `input`, in code points.
        max_tokens: longest `input`, in tokens.
        instructions: they are heeded; else ignored.
        events: `stream_format=sse` is served; else refused.
        lenient: nothing that the formal schema admits is refused: any voice speaks, and so does no
            text at all.
    """

    voices: tuple[str, ...] | None
    voices_checked_early: bool = False
    custom_voices: bool = True
    max_characters: int = 4096
    max_tokens: int | None = None
    instructions: bool = True
    events: bool = True
    lenient: bool = False

    def widened(self) -> Self:
        """The contract under the rules of the schema."""
        return replace(
            self,
            voices=None,
            voices_checked_early=False,
            custom_voices=True,
            max_tokens=None,
            events=True,
            lenient=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionContract:
    """What a model of `/v1/audio/transcriptions` takes, and how its answers look.

    Attributes:
        endpoints: transcriptions, and for some translations.
        formats: the response formats.
        usage: the currency that it is billed in.
        billed_errors: errors carry a usage of zero seconds, as whisper-1's do.
        streams: `stream=true` is heeded; else ignored.
        logprobs: `include[]=logprobs` is heeded; else ignored.
        detected_languages: answers list the languages that were heard.
        hints: `keywords[]` and `languages[]` are taken; else refused.
        diarizes: it tells speakers apart, and refuses a prompt and log probabilities.
        chunking_above: seconds of audio beyond which `chunking_strategy` must be given.
        max_seconds: longest audio.
        languages: the codes that `language` may be.
        unknown_language: the refusal of a code that is not among them.
        malformed_language: the refusal of what is not a language code at all.
        any_container: the file's name does not matter; else its extension must be known.
        bad_extension: the refusal of an extension.
        empty_file: the refusal of a file of no bytes.
        undecodable: the refusal of a file without audio that can be decoded.
        lenient: nothing that the formal schema admits is refused: any bytes are a file, a language
            that nobody knows is left to detection.
    """

    endpoints: frozenset[Endpoint]
    formats: tuple[ResponseFormat, ...]
    usage: UsageKind
    languages: frozenset[str]
    unknown_language: Refusal
    malformed_language: Refusal
    bad_extension: Refusal
    empty_file: Refusal
    undecodable: Refusal
    billed_errors: bool = False
    streams: bool = True
    logprobs: bool = True
    detected_languages: bool = False
    hints: bool = False
    diarizes: bool = False
    chunking_above: float | None = None
    max_seconds: float | None = None
    any_container: bool = False
    lenient: bool = False

    def widened(self) -> Self:
        """The contract under the rules of the schema. The answers stay those of the model."""
        return replace(
            self,
            endpoints=frozenset({"transcriptions", "translations"}),
            formats=get_args(ResponseFormat),
            hints=True,
            chunking_above=None,
            max_seconds=None,
            lenient=True,
        )


Contract = SpeechContract | TranscriptionContract


@dataclass(frozen=True, slots=True)
class PublicModel:
    """A model id of OpenAI's: its contract, and how `/v1/models` lists it (`created` is a Unix
    time in seconds)."""

    contract: Contract
    created: int
    owned_by: str = "system"
