"""Our Whisper network on real weights and real speech, held against CTranslate2 in float32."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ctranslate2.specs import WhisperSpec
from ctranslate2.specs.model_spec import index_spec
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim

from soundalike.audio.decode import decode
from soundalike.engines.whisper.context import LEAST_CONTEXT
from soundalike.engines.whisper.network import NetworkModel
from soundalike.engines.whisper.network.weights import Weights

CLIPS = {
    "librivox-0870.wav": "en",
    "librivox-0880.wav": "en",
    "librivox-0890.wav": "en",
    "french-dictee.aiff": "fr",
}
FULL = 3000
SHORT = [(clip, LEAST_CONTEXT) for clip in ("librivox-0880.wav", "french-dictee.aiff")]
NEAR = 1.5
"""How much farther than CTranslate2's int8 ours may be from float32. Both round by chance."""


@pytest.fixture(scope="module")
def ours(whisper_weights: Path) -> Iterator[WhisperModel]:
    model = NetworkModel(whisper_weights, 2)
    yield model
    model.model.unload_model()


@pytest.fixture(scope="module")
def exact(whisper_weights: Path) -> Iterator[WhisperModel]:
    model = WhisperModel(str(whisper_weights), "cpu", compute_type="float32", cpu_threads=2)
    yield model
    model.model.unload_model()


@pytest.fixture(scope="module")
def rounded(whisper_weights: Path) -> Iterator[WhisperModel]:
    """As near to `exact` as may be asked of int8."""
    model = WhisperModel(str(whisper_weights), "cpu", compute_type="int8", cpu_threads=2)
    yield model
    model.model.unload_model()


class Encoded:
    """What a model makes of clips, each encoded once."""

    def __init__(self, model: WhisperModel, folder: Path) -> None:
        self.whisper: Any = model.model
        self.model = model
        self._folder = folder
        self._encodings: dict[tuple[str, int], Any] = {}

    def __call__(self, clip: str, frames: int = FULL) -> Any:
        if (clip, frames) not in self._encodings:
            spectrogram = self.model.feature_extractor(decode(self._folder / clip))
            window = pad_or_trim(spectrogram[:, :FULL])[:, :frames]
            self._encodings[clip, frames] = self.model.encode(window)
        return self._encodings[clip, frames]


@pytest.fixture(scope="module")
def encoded(
    ours: WhisperModel, rounded: WhisperModel, exact: WhisperModel, shared_audio: Path
) -> list[Encoded]:
    """Ours, CTranslate2's int8 and the truth."""
    return [Encoded(model, shared_audio) for model in (ours, rounded, exact)]


def prompt_for(model: WhisperModel, clip: str, said: str, task: str, times: bool) -> list[int]:
    tokenizer = model.hf_tokenizer
    before = tokenizer.encode(f" {said}", add_special_tokens=False).ids if said else []
    controls = [CLIPS[clip], task] + ["notimestamps"] * (not times)
    tokens = [tokenizer.token_to_id(f"<|{name}|>") for name in ("startofprev", "startoftranscript")]
    return [
        *([tokens[0], *before] if before else []),
        tokens[1],
        *(tokenizer.token_to_id(f"<|{name}|>") for name in controls),
    ]


def generated(encoded: Encoded, clip: str, prompt: list[int], frames: int = FULL) -> Any:
    (result,) = encoded.whisper.generate(
        encoded(clip, frames),
        [prompt],
        beam_size=5,
        length_penalty=1,
        max_length=448,
        suppress_blank=True,
        suppress_tokens=[-1],
        max_initial_timestamp_index=50,
        return_scores=True,
        return_no_speech_prob=True,
    )
    return result


SAID = "It is a truth universally acknowledged, that a man of fortune must be in want of a wife. "


@pytest.mark.parametrize(
    ("clip", "task", "said", "times", "frames"),
    [
        ("librivox-0870.wav", "transcribe", "", False, FULL),
        ("librivox-0870.wav", "transcribe", "", True, FULL),
        ("librivox-0880.wav", "transcribe", "", True, LEAST_CONTEXT),
        ("librivox-0880.wav", "transcribe", SAID * 10, False, LEAST_CONTEXT),
        ("librivox-0890.wav", "transcribe", SAID, False, LEAST_CONTEXT),
        ("french-dictee.aiff", "translate", "", True, FULL),
    ],
    ids=["plain", "times", "short window", "long prompt", "prompt", "translation"],
)
def test_clear_sentences_have_the_same_best_text(
    encoded: list[Encoded],
    exact: WhisperModel,
    clip: str,
    task: str,
    said: str,
    times: bool,
    frames: int,
) -> None:
    prompt = prompt_for(exact, clip, said, task, times)
    assert len(prompt) > 200 or said != SAID * 10
    found, true = (generated(encoded[place], clip, prompt, frames) for place in (0, -1))
    texts = [exact.hf_tokenizer.decode(result.sequences_ids[0]) for result in (found, true)]
    assert texts[0] == texts[1]
    assert found.scores[0] == pytest.approx(true.scores[0], abs=0.05)
    assert found.no_speech_prob == pytest.approx(true.no_speech_prob, abs=0.03)


def error(found: Iterable[float], true: Iterable[float]) -> float:
    """Of the logs of probabilities."""
    logs = [np.log([*probabilities]) for probabilities in (found, true)]
    return float(np.sqrt(np.square(logs[0] - logs[1]).mean()))


@pytest.mark.parametrize(("clip", "frames"), [("librivox-0870.wav", FULL), *SHORT])
def test_languages_are_as_probable(encoded: list[Encoded], clip: str, frames: int) -> None:
    found, theirs, true = (
        dict(model.whisper.detect_language(model(clip, frames))[0]) for model in encoded
    )
    tokens = list(true)
    assert next(iter(found)) == tokens[0] == f"<|{CLIPS[clip]}|>"
    assert found.keys() == true.keys()
    ours, rounded, exact = (
        [languages[token] for token in tokens] for languages in (found, theirs, true)
    )
    assert error(ours, exact) < NEAR * error(rounded, exact)


TEXTS = {
    "librivox-0870.wav": " And Mr. John Dashwood had then leisure to consider how much there might"
    " be prudently in his power to do for them.",
    "librivox-0880.wav": " He was not an ill-disposed young man.",
}


@pytest.mark.parametrize(
    ("clip", "frames"), [("librivox-0870.wav", FULL), ("librivox-0880.wav", LEAST_CONTEXT)]
)
def test_words_are_as_probable_and_aligned_alike(
    encoded: list[Encoded], exact: WhisperModel, shared_audio: Path, clip: str, frames: int
) -> None:
    content = len(decode(shared_audio / clip)) // 160
    prompt = prompt_for(exact, clip, "", "transcribe", True)
    text = exact.hf_tokenizer.encode(TEXTS[clip], add_special_tokens=False).ids
    found, theirs, true = (
        model.whisper.align(model(clip, frames), prompt, [text], content, median_filter_width=7)[0]
        for model in encoded
    )
    probabilities = [result.text_token_probs for result in (found, theirs, true)]
    assert len(probabilities[0]) == len(text)
    assert error(probabilities[0], probabilities[2]) < NEAR * error(*probabilities[1:])
    ends, true_ends = dict(found.alignments), dict(true.alignments)
    assert ends.keys() == true_ends.keys()
    assert found.alignments[-1] == true.alignments[-1]
    apart = [abs(ends[token] - true_ends[token]) for token in ends]
    assert sum(distance <= 2 for distance in apart) >= 0.85 * len(apart)


def test_weights_that_are_stored_as_int8(
    encoded: list[Encoded], whisper_weights: Path, shared_audio: Path, tmp_path: Path
) -> None:
    folder = stored_as_int8(whisper_weights, tmp_path)
    assert Weights(folder / "model.bin")._find("encoder/conv1/weight").number_type is np.int8
    model = NetworkModel(folder, 2)
    clip = "librivox-0870.wav"
    prompt = prompt_for(model, clip, "", "transcribe", False)
    found, true = (
        generated(whisper, clip, prompt) for whisper in (Encoded(model, shared_audio), encoded[-1])
    )
    assert found.sequences_ids[0] == true.sequences_ids[0]
    assert found.scores[0] == pytest.approx(true.scores[0], abs=0.05)


def stored_as_int8(weights: Path, folder: Path) -> Path:
    """The same weights, as CTranslate2's converters write them when asked for int8."""
    stored = Weights(weights / "model.bin")
    spec: Any = WhisperSpec(
        *(
            number
            for part in ("encoder", "decoder")
            for number in (stored.layers(part), stored.number(f"{part}/num_heads"))
        )
    )
    for name in stored._stored:
        if stored.shape(name):
            layer, _, kind = name.rpartition("/")
            setattr(index_spec(spec, layer), kind, stored.array(name))
    vocabulary = (weights / "vocabulary.txt").read_text("utf-8").removesuffix("\n").split("\n")
    spec.register_vocabulary(vocabulary)
    spec.validate()
    spec.optimize("int8")
    spec.save(str(folder))
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_bytes((weights / name).read_bytes())
    return folder


def test_threads_side_by_side_hear_what_one_hears(encoded: list[Encoded]) -> None:
    ours = encoded[0]

    def text(clip: str) -> list[int]:
        prompt = prompt_for(ours.model, clip, "", "transcribe", False)
        return list(generated(ours, clip, prompt, LEAST_CONTEXT).sequences_ids[0])

    clips = [clip for clip, _ in SHORT]
    with ThreadPoolExecutor(len(clips)) as pool:
        assert list(pool.map(text, clips)) == [text(clip) for clip in clips]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_long_texts_take_little_memory(whisper_weights: Path) -> None:
    """In a process of its own, whose memory nobody else has taken."""
    code = f"""
import numpy as np
from pathlib import Path
from soundalike.engines.whisper.network import NetworkModel

def megabytes(kind):
    (line,) = (l for l in open("/proc/self/status") if l.startswith(kind))
    return int(line.split()[1]) // 1024

whisper = NetworkModel(Path({str(whisper_weights)!r}), 2).model
encoding = whisper.encode(np.zeros((1, 80, 1500), np.float32))
before = megabytes("VmHWM")
decoder = whisper._decoder
beams = decoder.begin(encoding)
decoder.advance(beams, [[1000] * 224])
for _ in range(220):
    decoder.advance(beams, [[1000]] * 5, [0] * 5)
print(megabytes("VmHWM") - before)
del beams
before = megabytes("VmRSS")
whisper.align(encoding, [1, 2, 3], [[1000] * 220], 1000, 7)
print(megabytes("VmRSS") - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    decoding, kept_of_aligning = map(int, done.stdout.split())
    assert decoding < 300
    assert kept_of_aligning < 60
