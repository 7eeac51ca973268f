"""Every setting, once: its `SOUNDALIKE_*` variable, its `serve` flag, its default and its meaning.

The flag of a field is its name with dashes (`speech_engine` is `--speech-engine`); its variable is
its name in capitals behind `SOUNDALIKE_`. A flag wins over a variable, a variable over the default.
Secrets have no flag.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from soundalike.keys import KEYLESS, check_keys, read_keys
from soundalike.store.location import default_folder

ENV_PREFIX = "SOUNDALIKE_"

ComputeType = Literal[
    "auto",
    "default",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
    "int16",
    "float16",
    "bfloat16",
    "float32",
]
"""As CTranslate2 names them (its `ComputeType`)."""

SECRETS = frozenset({"api_keys", "control_token"})
"""Settings without a flag: every user of a machine can read how a process was called."""


class Settings(BaseSettings):
    """How one server is set up. Immutable; raises pydantic's ValidationError on bad values."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    api_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Keys that are accepted, separated by commas. With none, any key passes.",
    )
    api_keys_file: Path | None = Field(
        None,
        description="File of keys that are accepted beside those of the variable for keys, one a "
        "line; lines that begin with `#` are notes.",
    )
    allow_keyless: bool = Field(
        default=False,
        description="Listen on an address other than loopback although no key is set.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names that the server goes by, separated by commas, beside addresses and "
        "names without a dot; `*` is any name.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins whose pages may use the server, separated by commas; `*` is any. "
        "With none, what browsers send for pages of other sites is refused.",
    )
    models: Path = Field(default_factory=default_folder, description="Folder of the model store.")
    engine: str | None = Field(
        None, description="One engine for both directions, such as `stub`; wins over the two below."
    )
    speech_engine: str = Field(
        "pyttsx3",
        description="Engine that speaks: `pyttsx3`, `stub`, or one that another package brings.",
    )
    transcription_engine: str = Field(
        "whisper",
        description="Engine that transcribes: `whisper`, `stub`, or one that another package "
        "brings.",
    )
    whisper_model: str = Field(
        "whisper-base", description="Model of the store that answers for OpenAI's model ids."
    )
    speech_language: str = Field(
        "auto", description="Language that is spoken (ISO 639-1), or `auto` to detect it."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where Whisper runs.")
    compute_type: ComputeType = Field(
        "auto",
        description="Number type of Whisper's weights: by `auto` the fastest that costs no words, "
        "by `default` that of their file. On a CPU `int8` is computed by onnxruntime, all others "
        "by CTranslate2.",
    )
    transcription_slots: int = Field(
        0,
        ge=0,
        description="Clips recognised at once, of all recordings; 0 chooses by cores and memory.",
    )
    transcription_threads: int = Field(
        0,
        ge=0,
        description="Threads for each of these clips (onnxruntime uses those of all together); 0 "
        "shares the cores out.",
    )
    rules: Literal["service", "schema"] = Field(
        "service",
        description="What is refused: all that the live service refuses, or only what the formal "
        "schema does.",
    )
    queue: int = Field(
        64, ge=0, description="Requests that may wait for an engine; more are answered with 503."
    )
    queue_timeout: float = Field(
        300,
        ge=0,
        description="Seconds that a request may wait in all, for its engine to load, its turn, and "
        "room for a long recording, before it is answered with 503; 0 is no limit.",
    )
    stall_timeout: float = Field(
        600,
        ge=0,
        description="Seconds after which an engine is killed that does not open, or makes no "
        "progress with a job; 0 is never.",
    )
    client_timeout: float = Field(
        60,
        ge=0,
        description="Seconds in which a client must send the head of a request or the next "
        "kilobyte of its body, and take some of its answer; 0 is no limit.",
    )
    max_connections: int = Field(
        400,
        ge=1,
        description="Connections at once; requests on 32 more get 503, and further ones are reset.",
    )
    grace: float = Field(
        30, ge=0, description="Seconds that running requests get to end after SIGTERM."
    )
    rate_limit_requests: int | None = Field(
        None, ge=1, description="Requests that a key may make in a minute; unset is no limit."
    )
    idle_unload: float = Field(
        0, ge=0, description="Seconds without work after which a model leaves memory; 0 is never."
    )
    runtime: Literal["hosts", "inline"] = Field(
        "hosts", description="Engines in child processes, or in threads of the server."
    )
    fixture: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Scopes, stubs, faults, the journal and the control plane for tests; `auto` "
        "has them where both engines are the stub.",
    )
    control_token: str | None = Field(
        None,
        description="Token for the control plane (header `X-Soundalike-Token`); without one it "
        "is open on loopback, to holders of a key where keys are set, and closed elsewhere.",
    )
    seed: int | None = Field(
        None, description="Seed of request ids, times and chances of the fixture; unset is random."
    )
    offline: bool = Field(
        default=False,
        description="Never use the network; weights come from installed wheels or not at all.",
    )
    log_level: Literal["critical", "error", "warning", "info", "debug"] = Field(
        "info", description="Least severe level that is logged."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Lines for people, or one JSON object a line."
    )
    log_content: bool = Field(
        default=False,
        description="Log what is spoken and recognised, and messages of exceptions, too.",
    )
    metrics: Literal["auto", "open", "off"] = Field(
        "auto",
        description="Who may read `/metrics`: by `auto` everybody on loopback where no keys are "
        "set, elsewhere whoever has a key; by `open` everybody; by `off` nobody.",
    )

    @field_validator("api_keys", "allowed_hosts", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any, info: ValidationInfo) -> Any:
        given = [value] if isinstance(value, str) else value
        parts = (part.strip() for text in given for part in str(text).split(","))
        named = tuple(part for part in parts if part)
        if given and not named and info.field_name == "api_keys":
            raise ValueError(f"holds no key; {KEYLESS}")
        return named

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin not in ("*", "null") and not re.fullmatch(
                r"[a-z][a-z0-9+.-]*://[^/?#]+", origin
            ):
                raise ValueError("takes origins such as https://app.example")
        return origins

    @model_validator(mode="after")
    def _read_keys_file(self) -> Self:
        keys = self.api_keys
        check_keys(keys)
        if self.api_keys_file is not None:
            keys += read_keys(self.api_keys_file)
        object.__setattr__(self, "api_keys", keys)  # the one moment at which they are not frozen
        return self

    @property
    def is_fixture(self) -> bool:
        engines = {self.speech_engine_name, self.transcription_engine_name}
        return self.fixture == "on" or (self.fixture == "auto" and engines == {"stub"})

    @property
    def speech_engine_name(self) -> str:
        return self.engine or self.speech_engine

    @property
    def transcription_engine_name(self) -> str:
        return self.engine or self.transcription_engine


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
