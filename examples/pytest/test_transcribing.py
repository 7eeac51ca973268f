import my_app
import openai
import pytest


def test_retry(soundalike):
    soundalike.transcriptions.stub("hello world", file_name="*.wav", language="en")
    soundalike.fault("status", status=429, retry_after_ms=5, times=2)
    assert my_app.transcribe("hi.wav") == "hello world"
    requests = soundalike.requests.transcriptions
    assert [r.status for r in requests] == [429, 429, 200]
    assert requests[-1].file.name == "hi.wav" and requests[-1].file.seconds < 2


def test_it_gives_up_in_the_end(soundalike):
    soundalike.fault("status", status=503, retry_after_ms=1)
    with pytest.raises(openai.InternalServerError):
        my_app.transcribe("hi.wav")
    assert [r.retry for r in soundalike.requests] == [0, 1, 2]


def test_a_wrong_key_is_not_tried_again(soundalike):
    soundalike.fault("status", status=401)
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
        my_app.transcribe("hi.wav")
    soundalike.verify(1)


def test_captions_come_in_pieces(soundalike):
    soundalike.transcriptions.stub("One, two, three.")
    pieces = list(my_app.captions("hi.wav"))
    assert len(pieces) > 1
    assert "".join(pieces) == "One, two, three."


def test_captions_that_break_off(soundalike):
    soundalike.transcriptions.stub("One, two, three.")
    soundalike.fault("sse_error")
    with pytest.raises(openai.APIError):
        list(my_app.captions("hi.wav"))


def test_minutes_name_the_speakers(soundalike):
    soundalike.transcriptions.stub(
        conversation=[("A", "Shall we begin?"), ("B", "Please."), ("A", "Item one.")]
    )
    assert my_app.minutes("hi.wav") == ["A: Shall we begin?", "B: Please.", "A: Item one."]


def test_subtitles_have_the_times_of_the_segments(soundalike):
    soundalike.transcriptions.stub(segments=[("Hello.", 0, 0.4), ("World.", 0.5, 0.9)])
    assert my_app.subtitles("hi.wav").splitlines()[:7] == [
        "1",
        "00:00:00,000 --> 00:00:00,400",
        "Hello.",
        "",
        "2",
        "00:00:00,500 --> 00:00:00,900",
        "World.",
    ]


def test_the_upload_arrives_whole(soundalike, recording):
    soundalike.transcriptions.stub("a tone", sha256="*")
    my_app.transcribe("hi.wav")
    (request,) = soundalike.requests.transcriptions
    assert request.body == recording.read_bytes()
    assert request.fields["model"] == "whisper-1"
    assert request.sdk.startswith("openai-python")


@pytest.mark.soundalike(strict=True)
def test_only_what_is_expected_is_answered(soundalike):
    soundalike.transcriptions.stub("good morning", language="en", seconds=(0.5, 1.5))
    assert my_app.transcribe("hi.wav") == "good morning"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_one_after_the_other(soundalike):
    soundalike.transcriptions.stub(["first", "second", "and so on"])
    assert await my_app.transcribe_all(["hi.wav"] * 4) == [
        "first",
        "second",
        "and so on",
        "and so on",
    ]
    await soundalike.requests.until(4)
