"""The speech engine on the real espeak-ng. One engine a process: all tests share it."""

import numpy as np
import pytest

from soundalike.engines.base import EngineConfig, SpeechJob
from soundalike.engines.pyttsx3 import Pyttsx3Engine, japanese
from soundalike.engines.pyttsx3.delivery import Delivery, delivery
from soundalike.engines.pyttsx3.espeak import Espeak, Manner
from soundalike.engines.pyttsx3.japanese import in_kana
from soundalike.engines.pyttsx3.language import identify
from soundalike.errors import InvalidRequestError, ServerError

FOX = "The quick brown fox jumped over the lazy dog. It did so twice, and slept."


@pytest.fixture(scope="module")
def engine() -> Pyttsx3Engine:
    return Pyttsx3Engine(EngineConfig("pyttsx3"))


def seconds(engine: Pyttsx3Engine, job: SpeechJob) -> float:
    return sum(chunk.size for chunk in engine.synthesize(job)) / engine.sample_rate


SENTENCES = {
    "en": ("The weather is nice today, is it not?", "en-us"),
    "de": ("Das Wetter ist heute sehr schön, nicht wahr?", "de"),
    "fr": ("Il fait très beau aujourd'hui, n'est-ce pas ?", "fr"),
    "es": ("Hoy hace muy buen tiempo, ¿no es verdad?", "es"),
    "it": ("Oggi il tempo è molto bello, non è vero?", "it"),
    "pt": ("O tempo está muito bom hoje, não é verdade?", "pt-br"),
    "nl": ("Het weer is vandaag erg mooi, nietwaar?", "nl"),
    "pl": ("Dzisiaj jest bardzo ładna pogoda, prawda?", "pl"),
    "ru": ("Сегодня очень хорошая погода, не правда ли?", "ru"),
    "tr": ("Bugün hava çok güzel, değil mi?", "tr"),
    "zh": ("今天天气很好，对吗？", "cmn"),
    "ja": ("きょうは てんきが いいですね。", "ja"),
    "ar": ("الطقس جميل جدا اليوم، أليس كذلك؟", "ar"),
    "hi": ("आज मौसम बहुत अच्छा है, है ना?", "hi"),
    "ko": ("오늘 날씨가 정말 좋네요, 그렇죠?", "ko"),
    "el": ("Ο καιρός είναι πολύ καλός σήμερα, έτσι;", "el"),
    "he": ("מזג האוויר יפה מאוד היום, נכון?", "he"),
}


@pytest.mark.parametrize(("text", "tag"), SENTENCES.values(), ids=SENTENCES)
def test_a_text_is_spoken_in_its_own_languages_voice(
    engine: Pyttsx3Engine, text: str, tag: str
) -> None:
    """The measure: the espeak voice that each utterance is given, and that it makes sound."""
    job = SpeechJob(text, "alloy")
    spoken = {
        utterance.voice.partition("+")[0].rpartition("/")[2] for utterance in engine.plan(job)
    }
    assert spoken == {tag}
    assert seconds(engine, job) > 1


@pytest.mark.parametrize(
    "text",
    ["Hi", "Yes", "Alice Johnson", "banana", "OK", "Order 66", "bob@example.com", "?!", "12"],
)
def test_english_is_spoken_where_in_doubt(text: str) -> None:
    assert identify(text) == "en"


def test_a_jobs_language_wins(engine: Pyttsx3Engine) -> None:
    job = SpeechJob("The weather is nice today.", "alloy", language="de")
    assert all("gmw/de" in utterance.voice for utterance in engine.plan(job))
    with pytest.raises(InvalidRequestError, match="cannot be spoken"):
        engine.synthesize(SpeechJob("Hello.", "alloy", language="xx"))


def test_a_fixed_language_that_cannot_be_spoken_is_told_at_the_start() -> None:
    with pytest.raises(ServerError, match="'xx'"):
        Pyttsx3Engine(EngineConfig("pyttsx3", options={"language": "xx"}))


def test_over_a_hundred_languages_are_spoken(engine: Pyttsx3Engine) -> None:
    assert len(engine.languages()) > 100
    assert engine.languages() == tuple(sorted(engine.languages()))


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.75, 1.25, 1.5, 2.0, 3.0, 4.0])
def test_speed_divides_the_duration(engine: Pyttsx3Engine, speed: float) -> None:
    natural = seconds(engine, SpeechJob(FOX, "alloy"))
    assert seconds(engine, SpeechJob(FOX, "alloy", speed=speed)) == pytest.approx(
        natural / speed, rel=0.05
    )


@pytest.mark.parametrize(
    "text",
    [
        "🎉😀",
        "<b>bold</b> & <i>x</i>",
        "# Title\n- one\n- two",
        "3.14 and 1,000,000 and 5%",
        "e.g. Dr. Smith, U.S.A.",
        "你好 hello 안녕",
        "שלום עולם",
        "\x00\x01 a \x02",
        "x" * 500,
        "word " * 819,
        "字" * 300,
    ],
    ids=lambda text: text[:8].encode("unicode_escape").decode(),
)
def test_odd_texts_give_sane_audio(engine: Pyttsx3Engine, text: str) -> None:
    sound = np.concatenate(list(engine.synthesize(SpeechJob(text, "alloy"))))
    assert sound.dtype == np.int16
    assert sound.size > 0.1 * engine.sample_rate
    assert np.abs(sound.astype(np.int32)).max() > 1000


@pytest.mark.parametrize("text", [" ", "...", "\n\n", "—"])
def test_a_text_without_words_is_a_short_silence(engine: Pyttsx3Engine, text: str) -> None:
    sound = np.concatenate(list(engine.synthesize(SpeechJob(text, "alloy"))))
    assert sound.size == pytest.approx(0.3 * engine.sample_rate, rel=0.1)
    assert not sound.any()


def test_a_long_text_comes_in_many_chunks(engine: Pyttsx3Engine) -> None:
    chunks = [chunk.size for chunk in engine.synthesize(SpeechJob("A sentence. " * 50, "alloy"))]
    assert len(chunks) >= 50


@pytest.mark.parametrize("voice", ["alloy", "coral", "nova"])
def test_the_first_sound_does_not_wait_for_the_end_of_a_sentence(
    engine: Pyttsx3Engine, voice: str
) -> None:
    sentence = "one and " * 25 + "two."
    first, *rest = (chunk.size for chunk in engine.synthesize(SpeechJob(sentence, voice)))
    assert first < 0.6 * engine.sample_rate
    assert sum(rest) > 5 * engine.sample_rate
    assert len(rest) < 8


def test_speech_that_is_not_listened_to_leaves_nothing_behind(engine: Pyttsx3Engine) -> None:
    """The measure: what is spoken next sounds as it does in quiet."""

    def spoken() -> bytes:
        return b"".join(map(bytes, engine.synthesize(SpeechJob(FOX, "coral"))))

    in_quiet = spoken()
    abandoned = engine.synthesize(SpeechJob("one and " * 25, "coral"))
    next(abandoned)
    del abandoned
    assert spoken() == in_quiet


def test_jobs_can_be_interleaved(engine: Pyttsx3Engine) -> None:
    """Each step sets its own voice: two jobs in turn sound as they do alone."""

    def sizes(voice: str) -> list[int]:
        return [chunk.size for chunk in engine.synthesize(SpeechJob(FOX, voice))]

    alone = sizes("onyx"), sizes("shimmer")
    first, second = (engine.synthesize(SpeechJob(FOX, voice)) for voice in ("onyx", "shimmer"))
    mixed = [(a.size, b.size) for a, b in zip(first, second, strict=True)]
    for one, other in zip(mixed, zip(*alone, strict=True), strict=True):
        assert one == pytest.approx(other, rel=0.01)


@pytest.mark.parametrize("voice", ["nobody", "", "../../etc/passwd", "alloy+nothing"])
def test_an_unknown_voice_is_refused(engine: Pyttsx3Engine, voice: str) -> None:
    with pytest.raises(InvalidRequestError, match="alloy, ash") as refused:
        engine.synthesize(SpeechJob("Hello.", voice))
    assert refused.value.param == "voice"


@pytest.mark.parametrize(
    ("instructions", "asked"),
    [
        (None, Delivery()),
        ("Speak like a pirate.", Delivery()),
        ("Speak slowly.", Delivery(pace=0.8)),
        ("not too fast", Delivery()),
        ("in a deep voice", Delivery(pitch=-25)),
        ("Whisper it, excitedly", Delivery(range=35, whisper=True)),
        ("not fast, " * 400 + "slow", Delivery(pace=0.8)),
    ],
)
def test_instructions_are_heard_as_far_as_espeak_can(
    instructions: str | None, asked: Delivery
) -> None:
    assert delivery(instructions) == asked


def test_instructions_change_the_sound(engine: Pyttsx3Engine) -> None:
    natural = seconds(engine, SpeechJob(FOX, "alloy"))
    slow = seconds(engine, SpeechJob(FOX, "alloy", instructions="Speak very slowly."))
    assert slow > natural * 1.15


@pytest.mark.parametrize("text", ["x" * 4096, "字" * 4096, "word, " * 682, "пр" * 2048])
def test_4096_characters_without_a_full_stop_are_spoken(engine: Pyttsx3Engine, text: str) -> None:
    chunks = [chunk.size for chunk in engine.synthesize(SpeechJob(text, "alloy"))]
    assert len(chunks) > 10
    assert sum(chunks) > 60 * engine.sample_rate


def plan(engine: Pyttsx3Engine, job: SpeechJob) -> list[tuple[str, str]]:
    return [
        (utterance.text.strip(), utterance.voice.partition("+")[0].rpartition("/")[2])
        for utterance in engine.plan(job)
    ]


def test_words_of_another_script_are_spoken_in_their_language(engine: Pyttsx3Engine) -> None:
    mixed = SpeechJob("The word мир means peace. Привет! Goodbye, 再见.", "alloy")
    assert plan(engine, mixed) == [
        ("The word", "en-us"),
        ("мир", "ru"),
        ("means peace.", "en-us"),
        ("Привет!", "ru"),
        ("Goodbye,", "en-us"),
        ("再见.", "cmn"),
    ]


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("pt", "pt-br"),
        ("pt-PT", "pt"),
        ("en_GB", "en"),
        ("no", "nb"),
        ("zh", "cmn"),
        ("yue", "yue"),
    ],
)
def test_a_language_can_be_named_with_its_region(
    engine: Pyttsx3Engine, code: str, tag: str
) -> None:
    assert plan(engine, SpeechJob("Oh.", "alloy", language=code)) == [("Oh.", tag)]


def test_espeaks_own_voices_can_be_named(engine: Pyttsx3Engine) -> None:
    listed = [voice.id for voice in engine.voices()]
    assert listed[:3] == ["alloy", "ash", "ballad"]
    assert listed[12] == "cedar"
    assert {"en-us", "de", "cmn"} < set(listed[13:])
    (utterance,) = engine.plan(SpeechJob("Hello.", "de+F3"))
    assert utterance.voice == "gmw/de+f3"


def test_an_abbreviation_makes_no_pause(engine: Pyttsx3Engine) -> None:
    (utterance,) = engine.plan(SpeechJob("We met Dr. Smith at 5 p.m. today.", "alloy"))
    assert utterance.text == "We met Dr Smith at 5 p.m today."


def test_only_the_end_of_a_sentence_makes_a_pause(engine: Pyttsx3Engine) -> None:
    pauses = [utterance.pause for utterance in engine.plan(SpeechJob("word " * 100, "alloy"))]
    assert pauses == [False] * (len(pauses) - 1) + [True]
    assert len(pauses) > 1


def test_kanji_are_read_with_a_dictionary() -> None:
    pytest.importorskip("sudachipy", reason="needs the extra `japanese`")
    assert in_kana("私は東京へ行く") == "ワタクシワトウキョウエイク"
    assert in_kana("これはペンです") == "これワペンです"


def test_kanji_without_a_dictionary_are_refused(
    engine: Pyttsx3Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(japanese, "_tokenizer", lambda: None)
    assert in_kana("かな") == "かな"
    with pytest.raises(InvalidRequestError, match=r"soundalike\[japanese\]"):
        list(engine.synthesize(SpeechJob("東京", "alloy", language="ja")))


def test_an_error_of_espeak_is_a_server_error() -> None:
    with pytest.raises(ServerError, match="could not set its voice"):
        list(Espeak().speak("Hello.", Manner("no/such", 160), pause=True))


def test_a_whisper_and_a_monotone_are_heard(engine: Pyttsx3Engine) -> None:
    (utterance,) = engine.plan(SpeechJob("Hello.", "alloy", instructions="Whisper."))
    assert utterance.voice == "gmw/en-us+whisper"
