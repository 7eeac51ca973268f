"""The table: what each public model id takes, returns and refuses.

Sources: the official OpenAPI document, recorded answers of the live service (2025 and 2026) and
probes that developers published. Where nothing was recorded the choice is marked "chosen".
"""

from dataclasses import replace

from soundalike.contracts.terms import (
    PublicModel,
    Refusal,
    SpeechContract,
    TranscriptionContract,
)
from soundalike.languages import SUPPORTED_LANGUAGES, WHISPER_LANGUAGES, WIDER_LANGUAGES

EXTENSIONS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
MIN_SECONDS = 0.1

_NOT_SUPPORTED = Refusal(
    "Language '{language}' is not supported.", "language", "unsupported_language"
)
_NOT_ISO = Refusal(
    "Invalid language '{language}'. Language parameter must be specified in ISO-639-1 format.",
    "language",
    "invalid_language_format",
)
_NOT_RECOGNIZED = Refusal(
    "Language code '{language}' is not recognized.", "language", "invalid_value"
)
_FILE_FORMAT = Refusal(f"Invalid file format. Supported formats: {list(EXTENSIONS)}")
_CORRUPTED = Refusal("Audio file might be corrupted or unsupported", "file", "invalid_value")

# Speech ------------------------------------------------------------------------------------------

TTS_1 = SpeechContract(
    voices=("nova", "shimmer", "echo", "onyx", "fable", "alloy", "ash", "sage", "coral"),
    voices_checked_early=True,
    custom_voices=False,
    instructions=False,
    events=False,  # chosen: documented as unsupported; the wording of a refusal is not recorded
)
BUILT_IN_VOICES = (
    *("alloy", "echo", "fable", "onyx", "nova", "shimmer", "coral"),
    *("verse", "ballad", "ash", "sage", "marin", "cedar"),
)
GPT_4O_MINI_TTS = SpeechContract(voices=BUILT_IN_VOICES, max_tokens=2000)
LOCAL_SPEECH = SpeechContract(voices=None)

# Transcription -----------------------------------------------------------------------------------

WHISPER_1 = TranscriptionContract(
    endpoints=frozenset({"transcriptions", "translations"}),
    formats=("json", "text", "srt", "verbose_json", "vtt"),
    usage="duration",
    billed_errors=True,
    streams=False,
    logprobs=False,  # chosen: ignored, like any field that a model does not know
    languages=SUPPORTED_LANGUAGES,
    unknown_language=_NOT_SUPPORTED,
    malformed_language=_NOT_ISO,
    bad_extension=_FILE_FORMAT,
    empty_file=_FILE_FORMAT,
    undecodable=Refusal("The audio file could not be decoded or its format is not supported."),
)
GPT_4O_TRANSCRIBE = TranscriptionContract(
    endpoints=frozenset({"transcriptions"}),
    formats=("json", "text"),
    usage="tokens",
    max_seconds=1400,
    languages=SUPPORTED_LANGUAGES,
    unknown_language=_NOT_SUPPORTED,  # chosen: both as whisper-1 has them
    malformed_language=_NOT_ISO,
    bad_extension=Refusal(
        "This model does not support the format you provided.", "messages", "unsupported_format"
    ),
    empty_file=_CORRUPTED,  # chosen: as an unreadable one
    undecodable=_CORRUPTED,
)
GPT_4O_DIARIZE = replace(
    GPT_4O_TRANSCRIBE,
    formats=("json", "text", "diarized_json"),
    logprobs=False,
    diarizes=True,
    chunking_above=30,  # as documented; a file of 6.5 s passed without, one of 29 s did not
)
GPT_TRANSCRIBE = TranscriptionContract(
    endpoints=frozenset({"transcriptions"}),
    formats=("json", "text"),
    usage="duration",
    detected_languages=True,
    hints=True,
    languages=WIDER_LANGUAGES,
    unknown_language=_NOT_RECOGNIZED,
    malformed_language=_NOT_RECOGNIZED,
    bad_extension=Refusal("Unsupported file format {extension}", "file", "unsupported_value"),
    empty_file=_CORRUPTED,  # chosen: as an unreadable one
    undecodable=_CORRUPTED,
)
LOCAL_TRANSCRIPTION = replace(
    WHISPER_1,
    formats=(*WHISPER_1.formats, "diarized_json"),
    billed_errors=False,
    streams=True,
    logprobs=True,
    hints=True,
    languages=frozenset(WHISPER_LANGUAGES),
    any_container=True,
)

# The public ids ----------------------------------------------------------------------------------

PUBLIC_MODELS: dict[str, PublicModel] = {
    "whisper-1": PublicModel(WHISPER_1, 1677532384, "openai-internal"),
    "gpt-transcribe": PublicModel(GPT_TRANSCRIBE, 1785168027),
    "gpt-4o-transcribe": PublicModel(GPT_4O_TRANSCRIBE, 1742068463),
    "gpt-4o-mini-transcribe": PublicModel(GPT_4O_TRANSCRIBE, 1742068596),
    "gpt-4o-mini-transcribe-2025-12-15": PublicModel(GPT_4O_TRANSCRIBE, 1765610407),
    "gpt-4o-transcribe-diarize": PublicModel(GPT_4O_DIARIZE, 1750798887),
    "tts-1": PublicModel(TTS_1, 1681940951, "openai-internal"),
    "tts-1-1106": PublicModel(TTS_1, 1699053241),
    "tts-1-hd": PublicModel(TTS_1, 1699046015),
    "tts-1-hd-1106": PublicModel(TTS_1, 1699053533),
    "gpt-4o-mini-tts": PublicModel(GPT_4O_MINI_TTS, 1742403959),
    "gpt-4o-mini-tts-2025-12-15": PublicModel(GPT_4O_MINI_TTS, 1765610837),
}
"""The time of `gpt-4o-mini-tts-2025-12-15` is a guess, near that of its sister; the others are
those that `/v1/models` gave."""
