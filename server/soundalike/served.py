"""Which model ids a server answers to, and the local models that stand behind them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from soundalike.contracts.lookup import (
    LocalModels,
    schema_contract,
    speech_contract,
    transcription_contract,
)
from soundalike.contracts.table import LOCAL_SPEECH, LOCAL_TRANSCRIPTION, PUBLIC_MODELS
from soundalike.contracts.terms import Endpoint, Rules, SpeechContract, TranscriptionContract
from soundalike.engines.base import EngineConfig
from soundalike.runtime.base import Deployment
from soundalike.runtime.local import LocalRuntime
from soundalike.settings import Settings

SPEECH_DEPTH = 64
"""Utterances that a speech host interleaves: an engine that speaks hundreds of times faster than
real time needs no more than one thread, only fairness."""

RECORDINGS = 16
"""Recordings that a transcription host works on side by side: more than it has slots for their
clips, so that a short one is not kept waiting by long ones."""

WHISPER = "whisper"
"""The engine whose models are the weights of the store."""


@dataclass(frozen=True, slots=True)
class ServedModels:
    """Everything that one server answers to.

    Attributes:
        speech: the local model that speaks, for OpenAI's ids too.
        transcription: the local model that answers for OpenAI's transcription ids.
        deployments: every local model.
        rules: by those of the schema, every name is answered to.
    """

    speech: str
    transcription: str
    deployments: tuple[Deployment, ...]
    rules: Rules = "service"

    def find_speech(self, model: str | None) -> tuple[SpeechContract, str]:
        """The contract of a model that is to speak, and the local model behind it.

        Raises:
            InvalidRequestError: no model was named.
            NotFoundError: none of that name speaks here.
        """
        if self.rules == "schema":
            return schema_contract(model, LOCAL_SPEECH), self.speech
        return speech_contract(model, self._local("speech")), self.speech

    def find_transcription(
        self, model: str | None, endpoint: Endpoint
    ) -> tuple[TranscriptionContract, str]:
        """The contract of a model that is to listen, and the local model behind it.

        Raises:
            As `find_speech`.
        """
        listening = {d.id for d in self.deployments if d.kind == "transcription"}
        own = model in listening and model not in PUBLIC_MODELS
        local = str(model) if own else self.transcription
        if self.rules == "schema":
            return schema_contract(model, LOCAL_TRANSCRIPTION), local
        return transcription_contract(model, self._local("transcription"), endpoint), local

    def public(self, kind: type[SpeechContract | TranscriptionContract]) -> tuple[str, ...]:
        """OpenAI's ids of one kind."""
        return tuple(id_ for id_, m in PUBLIC_MODELS.items() if isinstance(m.contract, kind))

    @property
    def listing(self) -> Mapping[str, tuple[int, str]]:
        """Every id with its creation time (Unix seconds) and its owner; a local model's time is
        that of its weights."""
        entries = {id_: (m.created, m.owned_by) for id_, m in PUBLIC_MODELS.items()}
        for deployment in self.deployments:
            weights = deployment.config.weights
            created = int(weights.stat().st_mtime) if weights and weights.exists() else 0
            entries.setdefault(deployment.id, (created, "soundalike"))
        return entries

    def entry(self, model: str) -> tuple[int, str] | None:
        """The creation time and the owner of a model, if there is one of that id."""
        made_up = (0, "soundalike") if self.rules == "schema" else None
        return self.listing.get(model, made_up)

    def _local(self, wanted: str) -> LocalModels:
        """The local ids; one that does both (the stub) counts as what is wanted."""
        ids = {d.id: d.kind for d in self.deployments}
        return ids | {d.id: d.kind for d in self.deployments if d.kind == wanted}


def served_models(settings: Settings) -> ServedModels:
    """OpenAI's model ids on the engines that the settings name, and every model of the store
    under its own id."""
    weights: dict[str, Path] = {}
    if settings.transcription_engine_name == WHISPER:
        from soundalike.store.folder import ModelStore

        weights = {model.id: model.path for model in ModelStore(settings.models).models()}
    speech = _speech_deployment(settings)
    transcription = tuple(_transcription_deployments(settings, weights))
    return ServedModels(
        speech=speech.id,
        transcription=next((d.id for d in transcription if d.preload), settings.whisper_model),
        deployments=(speech, *transcription),
        rules=settings.rules,
    )


def local_runtime(settings: Settings, models: ServedModels) -> LocalRuntime:
    """What runs the local models on this machine."""
    return LocalRuntime(
        models.deployments,
        inline=settings.runtime == "inline",
        idle_unload=settings.idle_unload,
        queue_timeout=settings.queue_timeout,
        stall_timeout=settings.stall_timeout,
    )


def _speech_deployment(settings: Settings) -> Deployment:
    language = settings.speech_language
    engine = settings.speech_engine_name
    return Deployment(
        engine,
        "speech",
        EngineConfig(engine, options={"language": None if language == "auto" else language}),
        depth=SPEECH_DEPTH,
        queue=settings.queue,
    )


def _transcription_deployments(
    settings: Settings, weights: Mapping[str, Path]
) -> Iterable[Deployment]:
    engine = settings.transcription_engine_name
    models: Mapping[str, Path | None] = weights if engine == WHISPER else {engine: None}
    for id_, folder in models.items():
        yield Deployment(
            id_,
            "transcription",
            EngineConfig(engine, folder, whisper_options(settings)),
            threads=RECORDINGS,
            queue=settings.queue,
            preload=folder is None or id_ == settings.whisper_model,
        )


def whisper_options(settings: Settings) -> dict[str, str | int]:
    """What a Whisper is opened with; see `engines.whisper.loading.plan_for`."""
    return {
        "device": settings.device,
        "compute_type": settings.compute_type,
        "slots": settings.transcription_slots,
        "threads": settings.transcription_threads,
    }
