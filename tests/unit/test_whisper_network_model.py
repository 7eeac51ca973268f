"""Our Whisper network and CTranslate2's on one set of invented weights, of sizes that no published
Whisper has: two encoder layers of four heads, three decoder layers of two, 64 numbers wide."""

import json
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ctranslate2 import StorageView
from ctranslate2.models import Whisper
from ctranslate2.specs import WhisperSpec
from ctranslate2.specs.model_spec import index_spec
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import _LANGUAGE_CODES
from numpy.typing import NDArray
from tokenizers import Tokenizer, models

from soundalike.engines.whisper.loading import load_model
from soundalike.engines.whisper.network import NetworkModel, OnnxWhisper, UnknownLayoutError
from soundalike.engines.whisper.network.weights import Weights
from soundalike.engines.whisper.plan import Plan
from soundalike.errors import ServerError

WIDTH, MELS, HEADS = 64, 128, 2
LANGUAGES = [code for code in _LANGUAGE_CODES if code != "yue"]
TEXT = 50_257
CONTROLS = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in _LANGUAGE_CODES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
TIMES = [f"<|{number * 0.02:.2f}|>" for number in range(1501)]
TOKENS = [*map(str, range(TEXT - 1)), "", *CONTROLS, *TIMES]
"""By the empty one, CTranslate2 tells a vocabulary of many languages."""
START, PREVIOUS, NO_TIMES = (
    TOKENS.index(f"<|{name}|>") for name in ("startoftranscript", "startofprev", "notimestamps")
)
TASK = [START, START + 1, TOKENS.index("<|transcribe|>")]
PROMPTS = {
    "with times": TASK,
    "without times": [*TASK, NO_TIMES],
    "after a long prompt": [PREVIOUS, *range(300, 523), *TASK, NO_TIMES],
}
NEAR = 1.6
"""How much farther than CTranslate2's int8 ours may be from float32. Both round by chance."""
ALIKE = 0.02
"""How far apart our own may be for one text: tokens read together are rounded together. Another
text, or one whose tokens changed places, is at 0.033 or more."""

Array = NDArray[np.float32]


def shape_of(name: str, tokens: int) -> tuple[int, ...]:
    match name.split("/"):
        case [part, "position_encodings", _]:
            return (1500 if part == "encoder" else 448, WIDTH)
        case [*_, "gamma" | "beta"]:
            return (WIDTH,)
        case [_, "embeddings" | "projection", _]:
            return (tokens, WIDTH)
        case [_, "conv1", _]:
            return (WIDTH, MELS, 3)
        case [_, "conv2", _]:
            return (WIDTH, WIDTH, 3)
        case [*_, "self_attention", "linear_0", _]:
            return (3 * WIDTH, WIDTH)
        case [*_, "attention", "linear_1", _]:
            return (2 * WIDTH, WIDTH)
        case [*_, "ffn", "linear_0", _]:
            return (4 * WIDTH, WIDTH)
        case [*_, "ffn", "linear_1", _]:
            return (WIDTH, 4 * WIDTH)
    return (WIDTH, WIDTH)


def write_weights(folder: Path, stored_as: str, tokens: Sequence[str] = TOKENS) -> Path:
    """Such weights as CTranslate2's converters write them, the same ones each time."""
    folder.mkdir()
    chance = np.random.default_rng(7)
    spec: Any = WhisperSpec(2, 4, 3, HEADS)
    missing = [name for name, value in spec.variables(ordered=True) if value is None]
    positions = [f"{part}/position_encodings/encodings" for part in ("encoder", "decoder")]
    for name in [*missing, *positions]:
        layer, _, kind = name.rpartition("/")
        shape = shape_of(name, len(tokens))
        array = chance.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        if kind in ("gamma", "beta"):
            array = 0.3 * array + (kind == "gamma")
        if kind == "encodings":  # a text that does not say one word forever
            array *= np.sqrt(WIDTH)
        if "projection" in name:  # some words are likelier than others
            array *= np.exp(chance.normal(0.8, 0.4, (shape[0], 1)))
        setattr(index_spec(spec, layer), kind, array.astype(np.float32))
        if "linear" in layer or "conv" in layer:
            bias = 0.2 * chance.normal(size=shape[0])
            index_spec(spec, layer).bias = bias.astype(np.float32)
    spec.config.suppress_ids = [1, 2, 7]
    spec.config.suppress_ids_begin = [220]
    spec.config.lang_ids = [tokens.index(f"<|{code}|>") for code in LANGUAGES]
    spec.config.alignment_heads = [[0, 1], [2, 0], [2, 1]]
    spec.register_vocabulary(list(tokens))
    spec.validate()
    spec.optimize(stored_as)
    spec.save(str(folder))
    words = models.WordLevel({token: place for place, token in enumerate(tokens)}, "0")
    Tokenizer(words).save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "float32", "float32")


@pytest.fixture(scope="module")
def exact(folder: Path) -> Whisper:
    return Whisper(str(folder), compute_type="float32", intra_threads=1)


@pytest.fixture(scope="module")
def rounded(folder: Path) -> Whisper:
    """As near to `exact` as may be asked of int8."""
    return Whisper(str(folder), compute_type="int8", intra_threads=1)


@pytest.fixture(scope="module")
def ours(folder: Path) -> Iterator[OnnxWhisper]:
    whisper = NetworkModel(folder, 1).model
    yield whisper
    whisper.unload_model()


def window(frames: int) -> Array:
    return np.random.default_rng(frames).normal(0, 0.7, (1, MELS, frames)).astype(np.float32)


def encoded(whisper: Whisper, frames: int) -> StorageView:
    return whisper.encode(StorageView.from_array(window(frames)))


def distance(found: Array, true: Array) -> float:
    """Relative to how far the truth lies from its mean."""
    return float(np.sqrt(np.square(found - true).mean()) / true.std())


def views(folder: Path, encoding: StorageView) -> list[Array]:
    """The keys of each decoder layer, shape (heads, positions, size), then the values, shape
    (heads, size, positions)."""
    weights, states = Weights(folder / "model.bin"), np.asarray(encoding)[0]
    keys, values = list[Array](), list[Array]()
    for layer in range(3):
        name = f"decoder/layer_{layer}/attention/linear_1"
        both = states @ weights.array(f"{name}/weight").T + weights.array(f"{name}/bias")
        parts = both.reshape(len(states), 2, HEADS, WIDTH // HEADS)
        keys.append(parts[:, 0].transpose(1, 0, 2))
        values.append(parts[:, 1].transpose(1, 2, 0))
    return [*keys, *values]


@pytest.mark.parametrize("frames", [1000, 1502, 3000])
def test_encodings_are_as_near_to_float32_as_those_of_ctranslate2(
    folder: Path, exact: Whisper, rounded: Whisper, ours: OnnxWhisper, frames: int
) -> None:
    encoding = ours.encode(window(frames))
    found = [view.numpy() for view in (*encoding.keys, *encoding.values)]
    true = views(folder, encoded(exact, frames))
    theirs = views(folder, encoded(rounded, frames))
    for view, their_view, true_view in zip(found, theirs, true, strict=True):
        assert view.shape == true_view.shape
        assert distance(view, true_view) < NEAR * distance(their_view, true_view)


def next_logits(whisper: Whisper, prompt: list[int]) -> Array:
    (result,) = whisper.generate(
        encoded(whisper, 1000),
        [prompt],
        beam_size=1,
        max_length=len(prompt),
        return_logits_vocab=True,
        suppress_blank=False,
        suppress_tokens=[],
    )
    return np.asarray(result.logits[0][0])


def random_prompt(length: int, seed: int) -> list[int]:
    text = np.random.default_rng(seed).integers(0, TEXT, length).tolist()
    return [PREVIOUS, *text, *TASK, NO_TIMES]


def our_next_logits(whisper: OnnxWhisper, prompt: list[int]) -> Array:
    decoder = whisper._decoder
    states = decoder.advance(decoder.begin(whisper.encode(window(1000))), [prompt])
    return np.asarray(decoder.logits(states[0, -1:])[0])


@pytest.mark.parametrize("length", [1, 30, 223])
def test_logits_are_as_near_to_float32_as_those_of_ctranslate2(
    exact: Whisper, rounded: Whisper, ours: OnnxWhisper, length: int
) -> None:
    prompt = random_prompt(length, length)
    found, true = our_next_logits(ours, prompt), next_logits(exact, prompt)
    assert distance(found, true) < NEAR * distance(next_logits(rounded, prompt), true)


def test_beams_that_swap_places_remember_their_own_texts(ours: OnnxWhisper) -> None:
    texts = [random_prompt(8, seed) for seed in (1, 2)]
    decoder = ours._decoder
    beams = decoder.begin(ours.encode(window(1000)))
    decoder.advance(beams, [[text[0]] for text in texts], (0, 0))
    for place in range(1, len(texts[0])):
        texts.reverse()
        states = decoder.advance(beams, [[text[place]] for text in texts], (1, 0))
    for text, found in zip(texts, decoder.logits(states[:, 0]), strict=True):
        assert distance(found, our_next_logits(ours, text)) < ALIKE


def generated(whisper: OnnxWhisper, prompt: list[int], frames: int = 1000, **options: Any) -> Any:
    """As faster-whisper asks for it."""
    asked: dict[str, Any] = {
        "beam_size": 5,
        "length_penalty": 1,
        "max_length": 448,
        "suppress_blank": True,
        "suppress_tokens": [-1],
        "max_initial_timestamp_index": 50,
    }
    (result,) = whisper.generate(whisper.encode(window(frames)), [prompt], **asked | options)
    return result


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
@pytest.mark.parametrize("frames", [1000, 3000])
def test_the_best_text_is_as_probable_as_that_of_ctranslate2(
    exact: Whisper, ours: OnnxWhisper, prompt: list[int], frames: int
) -> None:
    length = len(prompt) + 20
    found = generated(ours, prompt, frames, max_length=length)
    (true,) = exact.generate(
        encoded(exact, frames),
        [prompt],
        max_length=length,
        return_scores=True,
        return_no_speech_prob=True,
    )
    assert len(found.sequences_ids[0]) == len(true.sequences_ids[0])
    assert found.scores[0] == pytest.approx(true.scores[0], abs=0.2)
    assert np.log(found.no_speech_prob) == pytest.approx(np.log(true.no_speech_prob), abs=0.5)


def test_no_text_is_longer_than_half_of_the_limit_or_what_a_prompt_leaves_of_it(
    exact: Whisper, ours: OnnxWhisper
) -> None:
    for prompt in PROMPTS.values():
        for length in (len(prompt), len(prompt) + 7, 2 * min(len(prompt), 200) + 9):
            found = generated(ours, prompt, beam_size=1, max_length=length)
            (true,) = exact.generate(encoded(exact, 1000), [prompt], beam_size=1, max_length=length)
            assert len(found.sequences_ids[0]) == len(true.sequences_ids[0])


def test_suppressed_tokens_are_not_said(ours: OnnxWhisper) -> None:
    prompt = PROMPTS["without times"]
    first = generated(ours, prompt, beam_size=1, max_length=20).sequences_ids[0]
    second = generated(ours, prompt, beam_size=1, max_length=20, suppress_tokens=[-1, *first])
    assert not set(first) & set(second.sequences_ids[0])


def test_tokens_that_the_weights_suppress(
    ours: OnnxWhisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = PROMPTS["without times"]
    first = generated(ours, prompt, beam_size=1, max_length=20).sequences_ids[0]
    monkeypatch.setitem(ours._config, "suppress_ids", first)
    for suppressed, said in (([-1], False), ([], True)):
        found = generated(ours, prompt, beam_size=1, max_length=20, suppress_tokens=suppressed)
        assert (found.sequences_ids[0] == first) is said


def test_languages_and_their_probabilities(
    exact: Whisper, rounded: Whisper, ours: OnnxWhisper
) -> None:
    found, theirs, true = (
        dict(languages[0])
        for languages in (
            ours.detect_language(ours.encode(window(3000))),
            rounded.detect_language(encoded(rounded, 3000)),
            exact.detect_language(encoded(exact, 3000)),
        )
    )
    assert found.keys() == true.keys()
    assert sum(found.values()) == pytest.approx(1)

    logs = [np.log([languages[token] for token in true]) for languages in (found, theirs, true)]
    assert distance(logs[0], logs[2]) < NEAR * distance(logs[1], logs[2])
    listed = ours.detect_language(ours.encode(window(3000)))[0]
    assert listed == sorted(listed, key=lambda language: -language[1])


def test_times_and_probabilities_of_a_text_that_is_aligned(
    exact: Whisper, rounded: Whisper, ours: OnnxWhisper
) -> None:
    text = np.random.default_rng(3).integers(0, TEXT, 90).tolist()
    found, theirs, true = (
        whisper.align(encoding, TASK, [text], 1000, median_filter_width=7)[0]
        for whisper, encoding in (
            (ours, ours.encode(window(1000))),
            (rounded, encoded(rounded, 1000)),
            (exact, encoded(exact, 1000)),
        )
    )
    logs = [np.log(result.text_token_probs) for result in (found, theirs, true)]
    assert len(logs[0]) == len(logs[2])
    assert distance(logs[0], logs[2]) < NEAR * distance(logs[1], logs[2])

    frames = [first_frames(result.alignments) for result in (found, theirs, true)]
    assert np.abs(frames[0] - frames[2]).mean() < NEAR * np.abs(frames[1] - frames[2]).mean()


def first_frames(alignments: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Of each token."""
    tokens, frames = np.array(alignments).T
    return np.asarray(frames[np.unique(tokens, return_index=True)[1]])


@pytest.mark.parametrize("stored_as", ["int8", "int8_float16", "float16", "int8_float32"])
def test_other_number_types_of_the_file(
    exact: Whisper, rounded: Whisper, tmp_path: Path, stored_as: str
) -> None:
    whisper = NetworkModel(write_weights(tmp_path / stored_as, stored_as), 1).model
    prompt = random_prompt(30, 30)
    found, true = our_next_logits(whisper, prompt), next_logits(exact, prompt)
    assert distance(found, true) < NEAR * distance(next_logits(rounded, prompt), true)


def test_weights_that_know_english_alone(tmp_path: Path) -> None:
    """Their vocabulary is shorter, and each of its control tokens has another number."""
    tokens = [token for token in TOKENS if token not in ("", "<|yue|>")]
    weights = write_weights(tmp_path / "english", "float16", tokens)
    ours, exact = NetworkModel(weights, 1), Whisper(str(weights), compute_type="float32")
    assert len(tokens) == 51_864
    assert exact.is_multilingual is ours.model.is_multilingual is False
    assert ours.supported_languages == ["en"]
    for prompt in ([START - 1], [START - 1, NO_TIMES - 2]):
        found = generated(ours.model, prompt, max_length=20)
        (true,) = exact.generate(encoded(exact, 1000), [prompt], max_length=20, return_scores=True)
        assert found.scores[0] == pytest.approx(true.scores[0], abs=0.2)
        times = [[token > NO_TIMES - 2 for token in r.sequences_ids[0]] for r in (found, true)]
        assert times[0] == times[1]


@pytest.mark.parametrize("compute_type", ["float32", "int8_float32"])
def test_other_compute_types_are_left_to_ctranslate2(folder: Path, compute_type: str) -> None:
    model = load_model(folder, Plan("cpu", compute_type, 1, 1))
    assert isinstance(model.model, Whisper)
    assert model.model.compute_type == compute_type


def test_int8_on_a_cpu_is_ours(folder: Path) -> None:
    assert isinstance(load_model(folder, Plan("cpu", "int8", 1, 1)), NetworkModel)


def copied(folder: Path, to: Path, weights: bytes) -> Path:
    for file in folder.iterdir():
        if file.name != "model.bin":
            (to / file.name).write_bytes(file.read_bytes())
    (to / "model.bin").write_bytes(weights)
    return to


@pytest.mark.parametrize("damage", ["another layout", "cut short", "empty"])
def test_weights_that_are_not_understood_are_left_to_ctranslate2(
    folder: Path, tmp_path: Path, damage: str
) -> None:
    whole = (folder / "model.bin").read_bytes()
    changed = {
        "another layout": b"\x63" + whole[1:],
        "cut short": whole[: len(whole) // 2],
        "empty": b"",
    }
    damaged = copied(folder, tmp_path, changed[damage])
    with pytest.raises(UnknownLayoutError):
        NetworkModel(damaged, 1)
    with pytest.raises(RuntimeError) as told:
        Whisper(str(damaged))
    with pytest.raises(ServerError) as caught:
        load_model(damaged, Plan("cpu", "int8", 1, 1))
    assert str(told.value) in str(caught.value)


def test_the_model_has_all_that_faster_whisper_gives_its_own(folder: Path) -> None:
    found, expected = vars(NetworkModel(folder, 1)), vars(WhisperModel(str(folder), device="cpu"))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, int | float | str | dict):
            assert (name, found[name]) == (name, value)
    for name, value in vars(expected["feature_extractor"]).items():
        np.testing.assert_array_equal(getattr(found["feature_extractor"], name), value)


class EnoughError(Exception):
    pass


def test_a_text_is_interrupted_between_its_tokens(ours: OnnxWhisper) -> None:
    calls: list[None] = []

    def between() -> None:
        calls.append(None)
        if len(calls) > 5:
            raise EnoughError

    prompt = PROMPTS["without times"]
    interrupted = ours.interrupted(between)
    with pytest.raises(EnoughError):
        generated(interrupted, prompt, beam_size=1)
    assert len(calls) == 6
    assert len(generated(ours, prompt, beam_size=1, max_length=20).sequences_ids[0]) == 10
    calls.clear()
    generated(ours.interrupted(lambda: calls.append(None)), prompt, beam_size=1, max_length=20)
    assert len(calls) == 10
    calls.clear()
    with pytest.raises(EnoughError):
        generated(interrupted, prompt, beam_size=1, sampling_temperature=1.0)


def test_drawn_texts_have_the_limit_too(ours: OnnxWhisper) -> None:
    found = generated(
        ours, TASK, beam_size=1, num_hypotheses=3, sampling_temperature=0.5, max_length=16
    )
    assert [len(text) for text in found.sequences_ids] == [8] * 3
    assert found.scores == sorted(found.scores, reverse=True)


def test_threads_side_by_side_find_what_one_finds(ours: OnnxWhisper) -> None:
    prompts = [random_prompt(length, length) for length in (5, 40, 80, 120)]

    def text(prompt: list[int]) -> list[int]:
        return list(
            generated(
                ours, prompt, len(prompt) * 8 + 200, max_length=len(prompt) + 30
            ).sequences_ids[0]
        )

    with ThreadPoolExecutor(len(prompts)) as pool:
        assert list(pool.map(text, prompts)) == [text(prompt) for prompt in prompts]


def configured(folder: Path, to: Path, changes: dict[str, Any]) -> OnnxWhisper:
    """On the same weights, with some of what config.json says changed."""
    copied(folder, to, (folder / "model.bin").read_bytes())
    config = json.loads((to / "config.json").read_bytes()) | changes
    (to / "config.json").write_text(json.dumps(config))
    whisper: OnnxWhisper = NetworkModel(to, 1).model
    return whisper


def test_what_the_configuration_does_not_say(folder: Path, tmp_path: Path) -> None:
    unsaid = ("suppress_ids", "suppress_ids_begin", "lang_ids", "alignment_heads")
    silent = configured(folder, tmp_path, dict.fromkeys(unsaid))
    assert len(generated(silent, TASK, max_length=12, suppress_tokens=[-1]).sequences_ids[0]) == 6
    encoding = silent.encode(window(1000))
    assert silent.detect_language(encoding) == [[]]
    with pytest.raises(ServerError, match="no alignment_heads"):
        silent.align(encoding, TASK, [[5, 6]], 1000, 7)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_words_in_hardly_any_frames(ours: OnnxWhisper, frames: int) -> None:
    encoding = ours.encode(window(1000))
    (found,) = ours.align(encoding, TASK, [[5, 6]], frames, 7)
    assert found.alignments == [(0, 0), (1, 0), (2, 0)]
    assert len(found.text_token_probs) == 2


def test_a_tokenizer_that_lacks_a_token_is_left_to_ctranslate2(
    folder: Path, tmp_path: Path
) -> None:
    copied(folder, tmp_path, (folder / "model.bin").read_bytes())
    tokenizer = (tmp_path / "tokenizer.json").read_text()
    (tmp_path / "tokenizer.json").write_text(tokenizer.replace("notimestamps", "nothing"))
    with pytest.raises(UnknownLayoutError, match=r"lacks <\|notimestamps\|>"):
        NetworkModel(tmp_path, 1)


def test_unloading_gives_the_networks_back(folder: Path) -> None:
    model = NetworkModel(folder, 1)
    held = [weakref.ref(part) for part in (model.model._decoder, model.model._encoder)]
    copy = model.model.interrupted(lambda: None)
    for _ in range(2):
        model.model.unload_model()
    assert model.model.is_multilingual
    del copy
    assert [reference() for reference in held] == [None, None]
