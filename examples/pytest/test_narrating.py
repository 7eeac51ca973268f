import wave
from pathlib import Path

import my_app
import openai
import pytest

LINE = "Once upon a time there was a test."


def seconds(path):
    with wave.open(str(path)) as file:
        return file.getnframes() / file.getframerate()


def test_a_narration_is_spoken_into_a_file(soundalike):
    my_app.narrate(LINE, "tale.wav")
    (request,) = soundalike.verify(1, endpoint="speech", voice="coral", text="Once*")
    assert Path("tale.wav").read_bytes() == request.response


def test_a_recording_stands_in_for_the_voice(soundalike, recording):
    soundalike.speech.stub(recording, voice="coral")
    my_app.narrate(LINE, "tale.wav")
    with wave.open("tale.wav") as file:
        samples = file.readframes(file.getnframes())
    assert len(samples) // 2 == pytest.approx(24_000, rel=0.02)  # the second of tone, at 24 kHz


@pytest.mark.parametrize("kind", ["truncate", "reset_after_headers"])
def test_a_narration_that_broke_off_is_asked_for_again(soundalike, kind):
    soundalike.fault(kind, times=1)
    my_app.narrate(LINE, "tale.wav")
    assert [r.fault for r in soundalike.requests.speech] == [kind, None]
    assert Path("tale.wav").read_bytes() == soundalike.requests[-1].response


def test_a_refusal_leaves_no_file(soundalike):
    soundalike.fault("status", status=400, message="No.", match={"endpoint": "speech"})
    with pytest.raises(openai.BadRequestError, match="No"):
        my_app.narrate(LINE, "tale.wav")
    assert not list(Path().glob("tale.*"))


def test_what_was_spoken_is_heard_again(soundalike):
    my_app.narrate(LINE, "tale.wav")
    assert my_app.transcribe("tale.wav") == LINE


@pytest.mark.soundalike(seed=1)
def test_a_seed_names_the_requests(soundalike, soundalike_client):
    spoken = soundalike_client.audio.speech.with_raw_response.create(
        model="tts-1", voice="alloy", input=LINE
    )
    assert spoken.headers["x-request-id"] == soundalike.requests[0].id
    assert spoken.headers["date"] == "Tue, 14 Nov 2023 22:13:21 GMT"
