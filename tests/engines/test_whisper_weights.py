"""What the engine finds in a folder of weights: languages, a vocabulary, or damage."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from soundalike.audio.pcm import RECOGNITION_RATE
from soundalike.engines.base import EngineConfig, TranscriptionJob
from soundalike.engines.whisper import WhisperEngine
from soundalike.engines.whisper.scoring import ScoringWhisper
from soundalike.engines.whisper.tokens import Vocabulary
from soundalike.errors import InvalidRequestError, ServerError
from soundalike.transcript import Detected

END_OF_TEXT = 50_257
"""Of the multilingual vocabulary: the first token that is not text."""

JOB = TranscriptionJob(Path("unread"))
SILENCE = np.zeros(RECOGNITION_RATE, np.float32)


@pytest.fixture(scope="module")
def engine(whisper_weights: Path) -> Iterator[WhisperEngine]:
    engine = WhisperEngine(EngineConfig("whisper", whisper_weights, {"device": "cpu"}))
    yield engine
    engine.close()


def test_languages_are_those_of_the_weights(engine: WhisperEngine) -> None:
    languages = engine.languages()
    assert list(languages) == sorted(languages)
    assert {"de", "en", "es", "fr", "ja", "zh"} < set(languages)
    assert "yue" not in languages  # first known to large-v3
    assert len(languages) == 99


def test_an_unknown_language_is_refused(engine: WhisperEngine) -> None:
    with pytest.raises(InvalidRequestError, match="'xx' is not supported") as caught:
        list(engine.transcribe(replace(JOB, language="xx"), SILENCE))
    assert caught.value.param == "language"


class EnglishOnly(ScoringWhisper):
    """Weights that say of themselves that they know English alone."""

    is_multilingual = False


def test_english_only_weights_know_no_other_language(
    engine: WhisperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine._model, "model", EnglishOnly(engine._model.model))
    assert engine.languages() == ("en",)
    with pytest.raises(InvalidRequestError, match="'fr' is not supported"):
        list(engine.transcribe(replace(JOB, language="fr"), SILENCE))
    translation = replace(JOB, task="translate", language="en")
    assert list(engine.transcribe(translation, SILENCE)) == [Detected("en", 1.0)]


def test_weights_that_were_cut_short(whisper_weights: Path, tmp_path: Path) -> None:
    for file in whisper_weights.iterdir():
        if file.name != "model.bin":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with (whisper_weights / "model.bin").open("rb") as whole:
        (tmp_path / "model.bin").write_bytes(whole.read(1_000_000))
    with pytest.raises(ServerError, match="cannot be loaded"):
        WhisperEngine(EngineConfig("whisper", tmp_path))


@pytest.fixture(scope="module")
def tokenizer(whisper_weights: Path) -> Tokenizer:
    return Tokenizer.from_file(str(whisper_weights / "tokenizer.json"))


@pytest.fixture(scope="module")
def vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    return Vocabulary(tokenizer.id_to_token, END_OF_TEXT)


def test_the_bytes_of_the_whole_vocabulary(tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
    assert tokenizer.token_to_id("<|endoftext|>") == END_OF_TEXT
    for token in range(END_OF_TEXT):
        assert vocabulary.raw(token).decode(errors="replace") == tokenizer.decode([token])


@pytest.mark.parametrize(
    "text",
    ["今天天气很好,我们去公园散步吧。", "饕餮と鸳鸯、また明日。", "안녕하세요 😀"],
    ids=["chinese", "japanese", "korean"],
)
def test_characters_that_are_split_over_tokens(
    tokenizer: Tokenizer, vocabulary: Vocabulary, text: str
) -> None:
    tokens = tokenizer.encode(text, add_special_tokens=False).ids
    assert any("\ufffd" in tokenizer.decode([token]) for token in tokens)
    pieces = [delta.text for delta in vocabulary.deltas(tokens)]
    assert "".join(pieces) == text
    assert all("\ufffd" not in piece for piece in pieces)


@settings(max_examples=200)
@given(st.lists(st.integers(0, END_OF_TEXT - 1), max_size=12))
def test_deltas_say_what_the_tokenizer_says(
    tokenizer: Tokenizer, vocabulary: Vocabulary, tokens: list[int]
) -> None:
    pieces = [delta.text for delta in vocabulary.deltas(tokens)]
    assert "".join(pieces) == tokenizer.decode(tokens)
