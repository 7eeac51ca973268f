"""Short clips, language unset: ours over HTTP against plain faster-whisper in process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.context import Context
from bench.material import wav
from bench.reading import Reading
from bench.rows import Place, Row, Target
from bench.wording import error_rate, words

LENGTHS = (1, 2, 3, 5, 8, 10)
"""Seconds."""

FASTER = Target("ratio", 0.25)

CHANCE = 1.0
"""Percentage points of the words: fewer make no difference on so few of them."""

CHANCE_WORDS = 2
"""And so many words, which are more than that where there are few clips."""


@dataclass(slots=True)
class Heard:
    """The outcome of clips, in the order of the clips."""

    said: list[str] = field(default_factory=list)
    ours: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    plain_seconds: list[float] = field(default_factory=list)

    @property
    def errors(self) -> float:
        return error_rate(self.said, self.ours)

    @property
    def plain_errors(self) -> float:
        return error_rate(self.said, self.plain)


def measure(context: Context) -> Iterator[Row]:
    whole = Heard()
    lengths = LENGTHS[::2] if context.quick else LENGTHS
    source = "human speech" if context.material.human else "generated speech"
    for length in lengths:
        clips = context.material.clips(length, context.times(7, 2))
        if not clips:
            yield Row(f"{length} s clip", "s", (), note=f"no {source} is that long")
            continue
        heard = compare(context, clips)
        yield Row(
            f"{length} s clip",
            "s",
            tuple(heard.seconds),
            tuple(heard.plain_seconds),
            FASTER,
            heard.errors,
            heard.plain_errors,
            Place("latency", "soundalike over HTTP", length),
            Place("latency", "faster-whisper in process", length),
            source,
            in_turns=True,
        )
        for name in ("said", "ours", "plain"):
            getattr(whole, name).extend(getattr(heard, name))
    if whole.said:
        yield accuracy(whole)


def compare(context: Context, clips: Sequence[Reading]) -> Heard:
    """Each clip by ours and by plain faster-whisper in turn, so that both meet the same load."""
    heard = Heard()
    for clip in clips:
        file = context.material.file(clip.samples)
        seconds, answer = context.client.transcribe(wav(clip.samples))
        plain_seconds, segments = context.plain.transcribe(file)
        heard.said.append(clip.text)
        heard.ours.append(answer["text"])
        heard.plain.append("".join(segment.text for segment in segments))
        heard.seconds.append(seconds)
        heard.plain_seconds.append(plain_seconds)
    return heard


def accuracy(heard: Heard) -> Row:
    """The words wrong in all clips, which must not be more than those of the baseline."""
    ours, plain = 100 * heard.errors, 100 * heard.plain_errors
    count = sum(len(words(said)) for said in heard.said)
    target = Target("median", plain + max(CHANCE, 100 * CHANCE_WORDS / count))
    note = f"of {count}"
    return Row("words wrong, all clips", "%", (ours,), (plain,), target, note=note)
