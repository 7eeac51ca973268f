"""Every setting, once: its `SOUNDALIKE_*` variable, its `serve` flag, its default and its meaning.

The flag of a field is its name with dashes (`speech_engine` is `--speech-engine`); its variable is
its name in capitals behind `SOUNDALIKE_`. A flag wins over a variable, a variable over the default.
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from soundalike.store.location import default_folder

ENV_PREFIX = "SOUNDALIKE_"


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
    allow_keyless: bool = Field(
        default=False,
        description="Listen on an address other than loopback although no key is set.",
    )
    models: Path = Field(default_factory=default_folder, description="Folder of the model store.")
    engine: str | None = Field(
        None, description="One engine for both directions, such as `stub`; wins over the two below."
    )
    speech_engine: str = Field("pyttsx3", description="Engine that speaks.")
    transcription_engine: str = Field("whisper", description="Engine that transcribes.")
    whisper_model: str = Field(
        "whisper-base", description="Model of the store that answers for OpenAI's model ids."
    )
    speech_language: str = Field(
        "auto", description="Language that is spoken (ISO 639-1), or `auto` to detect it."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where Whisper runs.")
    compute_type: str = Field(
        "auto", description="Number type of Whisper's weights, as CTranslate2 names it."
    )
    transcription_slots: int = Field(
        0,
        ge=0,
        description="Clips recognised at once, of all recordings; 0 chooses by cores and memory.",
    )
    transcription_threads: int = Field(
        0, ge=0, description="Threads of each of them; 0 shares the cores out."
    )
    rules: Literal["service", "schema"] = Field(
        "service",
        description="What is refused: all that the live service refuses, or only what the formal "
        "schema does.",
    )
    queue: int = Field(
        64, ge=0, description="Requests that may wait for an engine; more are answered with 503."
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
    offline: bool = Field(
        default=False,
        description="Never use the network; weights come from installed wheels or not at all.",
    )
    log_level: Literal["critical", "error", "warning", "info", "debug"] = Field(
        "info", description="Least severe level that is logged."
    )

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: Any) -> Any:
        given = [value] if isinstance(value, str) else value
        keys = (key.strip() for text in given for key in str(text).split(","))
        return tuple(key for key in keys if key)

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
