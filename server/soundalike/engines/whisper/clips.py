"""Where someone speaks: a recording, cut at its silences into clips that fit Whisper's window.

Whisper is trained on windows of 30 seconds and makes words up where nobody speaks. Cutting at
silences instead of every 30 seconds splits no word, and leaves long silences out altogether
(Bain et al., "WhisperX", 2023, https://arxiv.org/abs/2303.00747).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.base import VadSettings
from soundalike.engines.underway import underway

MAX_CLIP = 30 * RECOGNITION_RATE
"""Samples of Whisper's window."""

JOINED_CLIP = 12 * RECOGNITION_RATE
"""Samples of the longest clip that is put together from several stretches of speech. The encoder
takes less time and memory for several of these than for one of their length, and slots can share
them."""

MAX_GAP = 3 * RECOGNITION_RATE
"""Samples of silence that a clip may hold; the decoder takes a longer one for the end of speech."""

BLOCK = 40 * RECOGNITION_RATE
"""Samples searched for speech at once, so that the first words of a long file do not wait for
the search of its last ones. Longer than a clip."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of a recording, from its sample `start` up to its sample `end`."""

    start: int
    end: int

    def shifted(self, samples: int) -> "Clip":
        return Clip(self.start + samples, self.end + samples)


def joined(regions: Sequence[Clip], longest: int = MAX_CLIP) -> list[Clip]:
    """Neighbours put together up to `longest` samples, to give the decoder context."""
    clips: list[Clip] = []
    for region in regions:
        last = clips[-1] if clips else None
        if last and region.start - last.end <= MAX_GAP and region.end - last.start <= longest:
            clips[-1] = Clip(last.start, region.end)
        else:
            clips.append(region)
    return clips


def padded(regions: Sequence[Clip], vad: VadSettings, length: int) -> list[Clip]:
    """Stretches of bare speech with the air that the settings give them, as far as there is any:
    none reaches into the next, beyond the recording of `length` samples, or beyond a window."""
    ahead = vad.prefix_padding_ms * RECOGNITION_RATE // 1000
    after = vad.silence_duration_ms * RECOGNITION_RATE // 1000
    clips: list[Clip] = []
    latest = [*(region.start for region in regions[1:]), length]
    for region, limit in zip(regions, latest, strict=False):
        end = min(region.end + after, limit, region.start + MAX_CLIP)
        earliest = clips[-1].end if clips else 0
        clips.append(Clip(max(region.start - ahead, earliest, end - MAX_CLIP), end))
    return clips


def speech_regions(audio: Samples, vad: VadSettings | None = None) -> list[Clip]:
    """Stretches of speech of at most 30 s each, with some air around them (Silero VAD)."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        threshold=0.5,
        neg_threshold=0.2,
        min_silence_duration_ms=300,
        speech_pad_ms=400,
        max_speech_duration_s=MAX_CLIP / RECOGNITION_RATE,
    )
    if vad is not None:
        options.threshold = vad.threshold
        options.neg_threshold = None  # a little below the threshold
        options.min_silence_duration_ms = vad.silence_duration_ms
        options.speech_pad_ms = 0
    found = get_speech_timestamps(audio, options)
    regions = [Clip(int(region["start"]), int(region["end"])) for region in found]
    return regions if vad is None else padded(regions, vad, len(audio))


def speech_clips(audio: Samples, vad: VadSettings | None = None) -> Iterator[Clip]:
    """The clips of a recording in order, none overlapping; none at all where nobody speaks.

    Args:
        audio: 16 kHz mono.
        vad: every silence that it tells of ends a clip; None joins what fits one window.

    Raises:
        AbandonedError: nobody wants the job any more for which they are searched.
    """
    job = underway()
    begin = 0
    while begin < len(audio):
        job.come_forward()  # hours of silence are searched without a clip
        end = min(begin + BLOCK, len(audio))
        regions = speech_regions(audio[begin:end], vad)
        clips = [clip.shifted(begin) for clip in (regions if vad else joined(regions, JOINED_CLIP))]
        begin = end
        if clips and end < len(audio) and end - clips[-1].end < MAX_GAP:
            begin = clips.pop().start  # it may go on in the next block
        yield from clips
