"""Stubs over the control plane, through the real application."""

import base64
import gc
import uuid
from pathlib import Path
from typing import Any

import pytest

from soundalike.errors import ContentTooLargeError, OverloadedError, ServerError
from soundalike.fixture.journal import Bodies
from soundalike.runtime.local import LocalRuntime

HELLO = {"endpoint": "transcriptions", "answers": [{"text": "hello world"}]}


def sound(audio: bytes) -> dict[str, Any]:
    answers = [{"audio_base64": base64.b64encode(audio).decode()}]
    return {"endpoint": "speech", "answers": answers}


def test_a_stub_answers_the_requests_that_it_matches(
    control: Any, second_of_silence: bytes
) -> None:
    added = control("POST", "/stubs", json=HELLO | {"match": {"file_name": "*.wav"}})
    assert added.status_code == 201
    assert added.json() == {
        "stubs": [
            {
                "id": "stub-1",
                "uses": 0,
                "spent": False,
                "stub": {
                    "endpoint": "transcriptions",
                    "match": {"file_name": "*.wav"},
                    "answers": [{"text": "hello world"}],
                },
            }
        ]
    }
    assert control.transcribe(second_of_silence).json()["text"] == "hello world"
    assert control.transcribe(second_of_silence, "hi.mp3").json()["text"] == ""
    (state,) = control("GET", "/stubs").json()["stubs"]
    assert state["uses"] == 1


@pytest.mark.parametrize("condition", [{}, {"seconds": 1}])
@pytest.mark.parametrize("failure", [OverloadedError("No room."), ServerError("The host died.")])
def test_an_upload_that_cannot_be_looked_into_is_answered_so(
    control: Any,
    second_of_silence: bytes,
    condition: dict[str, Any],
    failure: ServerError,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not by the engine, as if the stub did not match, and not as a file that is no audio."""

    unknown = second_of_silence[:-16] + uuid.uuid4().bytes  # known ones are looked into once

    async def fail(*_: object) -> None:
        raise failure

    control("POST", "/stubs", json=HELLO | {"match": condition})
    with monkeypatch.context() as failing:
        failing.setattr(LocalRuntime, "inspect", fail)
        refused = control.transcribe(unknown)
    assert refused.status_code == failure.status
    assert refused.json()["error"]["message"] == failure.message
    (noted,) = control("GET", "/requests").json()["requests"]
    assert (noted["status"], noted["error"]) == (failure.status, failure.message)
    assert control.transcribe(unknown).json()["text"] == "hello world"


def test_a_long_name_is_told_by_its_ends(control: Any) -> None:
    long = "x" * 60_000
    for stub in (HELLO | {long: 1}, HELLO | {"match": {"headers": {long: 1}}}):
        refused = control("POST", "/stubs", json=stub)
        assert refused.status_code == 400
        assert len(refused.content) < 1500
        assert "…" in refused.json()["error"]["param"]


def test_several_stubs_come_in_one_list(control: Any, second_of_silence: bytes) -> None:
    german = HELLO | {"match": {"language": "de"}, "answers": [{"text": "hallo Welt"}]}
    added = control("POST", "/stubs", json=[HELLO, german]).json()["stubs"]
    assert [stub["id"] for stub in added] == ["stub-1", "stub-2"]
    assert control.transcribe(second_of_silence).json()["text"] == "hello world"
    assert control.transcribe(second_of_silence, language="de").json()["text"] == "hallo Welt"


def test_answers_come_one_after_the_other_and_end(control: Any, second_of_silence: bytes) -> None:
    control("POST", "/stubs", json=HELLO | {"answers": [{"text": "a"}, {"text": "b"}], "times": 3})
    texts = [control.transcribe(second_of_silence).json()["text"] for _ in range(4)]
    assert texts == ["a", "b", "b", ""]
    assert control("GET", "/stubs").json()["stubs"][0]["spent"] is True


def test_a_recording_in_base64_is_sent_as_it_was_spoken(control: Any) -> None:
    spoken = control.speak("What was prepared.", response_format="wav").content
    assert control("POST", "/stubs", json=sound(spoken)).status_code == 201
    answer = control.speak("Something else.", response_format="flac")
    assert control.transcribe(answer.content).json()["text"] == "What was prepared."


def test_a_recording_comes_in_a_form_too(control: Any) -> None:
    spoken = control.speak("What was prepared.", response_format="mp3").content
    added = control(
        "POST",
        "/stubs",
        data={"stub": '{"endpoint": "speech", "match": {"voice": "alloy"}}'},
        files={"audio": ("hello.mp3", spoken)},
    )
    assert added.status_code == 201, added.text
    assert added.json()["stubs"][0]["stub"]["match"] == {"voice": "alloy"}
    heard = control.transcribe(control.speak("Else.").content).json()["text"]
    assert heard == "What was prepared."


def test_a_recording_is_kept_as_long_as_its_stub(control: Any, second_of_silence: bytes) -> None:
    (stub,) = control("POST", "/stubs", json=sound(second_of_silence)).json()["stubs"]
    bodies = control.client.app.state.scopes.get(control.name).bodies
    name = stub["stub"]["answers"][0]["audio"]
    assert bodies._held[name] == 1
    control("DELETE", "/stubs")
    gc.collect()
    assert name not in bodies._held
    assert bodies.read(name) == second_of_silence


def test_what_is_held_does_not_make_room(tmp_path: Path) -> None:
    bodies = Bodies(tmp_path, most=10)
    held = bodies.hold(b"recorded")
    first, second = bodies.keep(b"answer 1"), bodies.keep(b"answer 2")
    assert held.read_bytes() == b"recorded"
    assert (bodies.read(first), bodies.read(second)) == (None, b"answer 2")
    with pytest.raises(ContentTooLargeError):
        bodies.hold(b"another")
    bodies.release(held)
    bodies.keep(b"answer 3")
    assert not held.exists()


def test_stubs_are_dropped_one_by_one_and_all_at_once(control: Any) -> None:
    control("POST", "/stubs", json=[HELLO, HELLO, HELLO])
    dropped = control("DELETE", "/stubs/stub-2")
    assert dropped.json() == {"id": "stub-2", "deleted": True}
    assert [s["id"] for s in control("GET", "/stubs").json()["stubs"]] == ["stub-1", "stub-3"]
    again = control("DELETE", "/stubs/stub-2")
    assert again.status_code == 404
    assert again.json()["error"]["param"] == "stub_id"
    assert control("DELETE", "/stubs").json()["stubs"] == 0
    assert control("GET", "/stubs").json() == {"stubs": []}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "endpoint"),
        (HELLO | {"endpoint": "models"}, "endpoint"),
        (HELLO | {"unknown": 1}, "unknown"),
        (HELLO | {"times": 0}, "times"),
        (HELLO | {"match": {"colour": "red"}}, "match.colour"),
        (HELLO | {"answers": []}, "answers"),
        (HELLO | {"answers": [{"text": "a", "words": []}]}, "answers.0"),
        (HELLO | {"answers": [{"audio": "/etc/passwd"}]}, "answers.0.audio"),
        (HELLO | {"endpoint": "speech"}, None),
        ([HELLO, HELLO | {"times": 0}], "1.times"),
        (
            {"endpoint": "speech", "answers": [{"audio": "/etc/passwd"}]},
            "answers.0.audio",
        ),
        (
            {"endpoint": "speech", "answers": [{"audio_base64": "not base64"}]},
            "answers.0.audio_base64",
        ),
        (sound(b"not audio"), "answers.0.audio_base64"),
        ("hello", ""),
        (None, None),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(
    control: Any, body: Any, param: str | None
) -> None:
    answer = control("POST", "/stubs", json=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == (param or None)
    assert "/etc" not in error["message"]
    assert control("GET", "/stubs").json() == {"stubs": []}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (HELLO | {"answers": []}, "'answers' takes a list of at least 1, not []."),
        (
            HELLO | {"answers": [{"txt": "a"}]},
            "'answers.0' has no field 'txt'; did you mean 'text'? It has: audio_base64, lang",
        ),
        (
            HELLO | {"answers": [{"segments": [{"txt": "a"}]}]},
            "'answers.0.segments.0' has no field 'txt'; did you mean 'text'? It has: end, ",
        ),
        (
            [HELLO, HELLO | {"match": {"modle": "x"}}],
            "'1.match' has no condition 'modle'; did you mean 'model'? It has: audio_sha256, ",
        ),
        (HELLO | {"tmes": 1}, "The body has no field 'tmes'; did you mean 'times'? It has: "),
        (
            HELLO | {"answers": [{"text": "a", "words": []}]},
            "'answers.0' is wrong: an answer is one of text, segments, words or audio_base64.",
        ),
        (HELLO | {"match": {"seconds": "x"}}, "'match.seconds' takes a number or a list, not 'x'."),
        (
            {"answers": [{"text": "a"}]},
            "'endpoint' is missing; it takes 'speech', 'transcriptions' or 'translations'.",
        ),
        ("hello", "The body takes a JSON object, not 'hello'."),
        (None, "Send JSON, with the header content-type: application/json."),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(control: Any, body: Any, message: str) -> None:
    answer = control("POST", "/stubs", json=body)
    assert answer.json()["error"]["message"].startswith(message)


def test_only_json_is_a_body(control: Any) -> None:
    text = control("POST", "/stubs", content=b"{}", headers={"content-type": "text/plain"})
    assert text.status_code == 400
    assert "application/json" in text.json()["error"]["message"]
    broken = control("POST", "/stubs", content=b"{", headers={"content-type": "application/json"})
    assert broken.status_code == 400
    assert "not JSON" in broken.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "files", "param"),
    [
        ({}, {"audio": b"sound"}, "stub"),
        ({"stub": '{"endpoint": "speech"}'}, {"sound": b"sound"}, "sound"),
        ({"stub": "[]"}, {"audio": b"sound"}, "stub"),
        ({"stub": '{"endpoint": "speech", "answers": []}'}, {"audio": b"sound"}, "stub"),
        ({"stub": '{"endpoint": "speech"}', "path": "/etc"}, {"audio": b"sound"}, "path"),
        ({"stub": '{"endpoint": "speech"}'}, {"audio": b"sound"}, "answers.0.audio_base64"),
    ],
)
def test_a_wrong_form_is_refused_and_changes_nothing(
    control: Any, fields: dict[str, str], files: dict[str, bytes], param: str
) -> None:
    sent = {name: (name, data) for name, data in files.items()}
    answer = control("POST", "/stubs", data=fields, files=sent)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert control("GET", "/stubs").json() == {"stubs": []}


def test_too_large_a_body_is_refused(control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soundalike.fixture.control.routing.MAX_BODY", 50)
    answer = control("POST", "/stubs", json=HELLO)
    assert answer.status_code == 413
    assert control("GET", "/stubs").json() == {"stubs": []}
