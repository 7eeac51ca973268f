"""What was asked, over the control plane, through the real application."""

import asyncio
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from soundalike.fixture.exchange import Exchange
from soundalike.fixture.journal import Journal

HELLO = {"endpoint": "transcriptions", "answers": [{"text": "hello"}]}


@pytest.fixture
def asked(control: Any, second_of_silence: bytes) -> Any:
    """A scope that was asked three times."""
    assert control.transcribe(second_of_silence, "a.wav", language="en").status_code == 200
    assert control.transcribe(second_of_silence, "b.mp3", prompt="Names: Zoë").status_code == 200
    assert control.speak("Good morning.", voice="coral", speed=1.5).status_code == 200
    return control


def numbers(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [request["number"] for request in answer.json()["requests"]]


def test_a_request_is_told_as_it_was_sent(asked: Any, second_of_silence: bytes) -> None:
    first, _, spoken = asked("GET", "/requests").json()["requests"]
    assert first["endpoint"] == "transcriptions"
    assert first["fields"] == {"model": "whisper-1", "language": "en"}
    assert first["file"]["name"] == "a.wav"
    assert first["file"]["content_type"] == "audio/wav"
    assert first["file"]["sha256"] == hashlib.sha256(second_of_silence).hexdigest()
    assert first["file"]["seconds"] == 1
    assert first["headers"]["authorization"] == "***"
    assert (first["status"], first["complete"], first["answered_by"]) == (200, True, "engine")
    assert spoken["fields"]["speed"] == 1.5
    assert asked("GET", f"/requests/{spoken['id']}").json() == spoken


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [1, 2, 3]),
        ("endpoint=transcriptions", [1, 2]),
        ("endpoint=transcriptions&file_name=*.mp3", [2]),
        ("file_name=*.ogg", []),
        ("language=en", [1]),
        ("prompt=*Zo%C3%AB", [2]),
        ("text=Good*", [3]),
        ("voice=coral", [3]),
        ("seconds=1", [1, 2]),
        ("seconds=0.5,1.5", [1, 2]),
        ("seconds=2,", []),
        ("seconds=,2", [1, 2]),
        ("fields[speed]=1.5", [3]),
        ("headers[Authorization]=*", [1, 2, 3]),
        ("headers[x-none]=*", []),
        ("limit=2", [2, 3]),
        ("endpoint=transcriptions&limit=1", [2]),
    ],
)
def test_requests_are_found_by_their_conditions(
    asked: Any, query: str, expected: list[int]
) -> None:
    assert numbers(asked("GET", f"/requests?{query}")) == expected


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("colour=red", "colour"),
        ("endpoint=models&endpoint=nowhere", "endpoint"),
        ("seconds=long", "seconds"),
        ("headers=x", "headers"),
        ("headers[x=1", "headers[x"),
        ("limit=0", "limit"),
        ("limit=many", "limit"),
    ],
)
def test_a_wrong_query_is_refused(control: Any, query: str, param: str) -> None:
    answer = control("GET", f"/requests?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith(param)


def test_the_file_comes_back(control: Any, second_of_silence: bytes) -> None:
    id_ = control.transcribe(second_of_silence, "naïve 1.wav").headers["x-request-id"]
    answer = control("GET", f"/requests/{id_}/file")
    assert answer.content == second_of_silence
    assert answer.headers["content-type"] == "audio/wav"
    named = answer.headers["content-disposition"]
    assert named == "attachment; filename*=utf-8''na%C3%AFve%201.wav"


def test_a_type_that_is_none_does_not_come_back(control: Any, second_of_silence: bytes) -> None:
    answer = control.client.post(
        f"/s/{control.name}/v1/audio/transcriptions",
        data={"model": "whisper-1"},
        files={"file": ("a.wav", second_of_silence, "töricht")},
    )
    sent = control("GET", f"/requests/{answer.headers['x-request-id']}/file")
    assert sent.headers["content-type"] == "application/octet-stream"


def test_the_answer_comes_back(control: Any) -> None:
    spoken = control.speak(response_format="wav")
    refused = control.speak(response_format="vhs")
    for answer in (spoken, refused):
        again = control("GET", f"/requests/{answer.headers['x-request-id']}/response")
        assert again.status_code == 200
        assert again.headers["x-soundalike-status"] == str(answer.status_code)
        assert again.headers["content-type"] == answer.headers["content-type"]
        assert again.content == answer.content


def test_what_is_not_there_is_not_found(control: Any) -> None:
    id_ = control.speak().headers["x-request-id"]
    for path in ("req_none", "req_none/file", "req_none/response", f"{id_}/file"):
        answer = control("GET", f"/requests/{path}")
        assert answer.status_code == 404
        assert answer.json()["error"]["param"] == "request_id"
    control.client.app.state.scopes.get(control.name).journal.get(id_).response_sha256 = "0" * 64
    assert control("GET", f"/requests/{id_}/response").status_code == 404


def test_strange_characters_and_numbers_are_told(control: Any) -> None:
    body = b'{"model": "tts-1", "voice": "alloy", "input": "\\ud800", "speed": NaN}'
    headers = {"content-type": "application/json"}
    control.client.post(f"/s/{control.name}/v1/audio/speech", content=body, headers=headers)
    (told,) = control("GET", "/requests").json()["requests"]
    assert told["fields"]["input"] == "\ud800"
    assert told["fields"]["speed"] is None


def test_requests_are_forgotten(asked: Any) -> None:
    assert asked("DELETE", "/requests").json()["requests"] == 0
    assert asked("GET", "/requests").json() == {"requests": []}
    asked.speak()
    assert numbers(asked("GET", "/requests")) == [1]


def test_a_wait_ends_with_the_request_that_it_is_for(control: Any) -> None:
    def wait() -> Any:
        return control("GET", "/requests/wait?count=2&timeout=60&text=Hello*")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        control.speak("Hello.")
        control.speak("Something else.")
        assert not waiting.done()
        control.speak("Hello again.")
        assert numbers(waiting.result(60)) == [1, 3]
    assert numbers(control("GET", "/requests/wait?timeout=0")) == [1, 2, 3]


def test_a_wait_in_vain_tells_what_came(asked: Any) -> None:
    answer = asked("GET", "/requests/wait?count=3&timeout=0&endpoint=transcriptions")
    assert answer.status_code == 408
    told = answer.json()
    assert told["error"]["message"] == "2 of 3 requests came within 0 seconds."
    assert told["error"]["code"] == "wait_timeout"
    assert [request["number"] for request in told["requests"]] == [1, 2]


@pytest.mark.parametrize("wrong", ["count=0", "timeout=-1", "timeout=601", "timeout=nan"])
def test_a_wait_has_its_limits(control: Any, wrong: str) -> None:
    answer = control("GET", f"/requests/wait?{wrong}")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == wrong.partition("=")[0]


def test_those_who_wait_keep_no_thread() -> None:
    journal = Journal()
    exchange = Exchange("req_1", 1, "default", "speech", "POST", "/v1/audio/speech")

    async def waits() -> None:
        before = threading.active_count()
        waiting = [asyncio.create_task(journal.until(1, 60)) for _ in range(100)]
        await asyncio.sleep(0)
        assert threading.active_count() == before
        await asyncio.to_thread(journal.add, exchange)
        assert await asyncio.gather(*waiting) == [[exchange]] * 100

    asyncio.run(waits())
    assert journal._listeners == set()


@pytest.mark.parametrize(
    "expected",
    [
        {},
        {"count": 3},
        {"match": {"file_name": "*.wav"}, "count": 1},
        {"match": {"file_name": "*.ogg"}, "count": 0},
        {"match": {"endpoint": "transcriptions"}, "at_least": 1, "at_most": 2},
        {"at_most": 3},
    ],
)
def test_what_was_expected_is_verified(asked: Any, expected: Any) -> None:
    answer = asked("POST", "/verify", json=expected)
    assert answer.status_code == 200, answer.text
    assert answer.json()["verified"] is True
    assert answer.json()["nearest"] == []


def test_too_few_are_told_with_those_that_came_closest(asked: Any) -> None:
    match = {"file_name": "b.*", "language": "de"}
    answer = asked("POST", "/verify", json={"match": match, "count": 2})
    assert answer.status_code == 409
    told = answer.json()
    assert (told["verified"], told["count"]) == (False, 0)
    first, second, third = told["nearest"]
    assert (first["number"], second["number"], third["number"]) == (2, 1, 3)
    assert first["mismatches"] == [{"condition": "language", "wanted": "de", "got": None}]
    assert told["error"]["code"] == "verification_failed"
    name, language = "file_name: wanted 'b.*'", "language: wanted 'de'"
    lines = [
        ("#2 POST /v1/audio/transcriptions", first, f"{language}, not sent"),
        (
            "#1 POST /v1/audio/transcriptions",
            second,
            f"{name}, got 'a.wav'; {language}, got 'en'",
        ),
        ("#3 POST /v1/audio/speech", third, f"{name}, not sent; {language}, not sent"),
    ]
    assert told["error"]["message"].splitlines() == [
        "Requests that match language='de', file_name='b.*': 0 of 3, expected exactly 2.",
        *(f"  {asked} ({near['request']}): {wrong}" for asked, near, wrong in lines),
    ]


def test_too_many_are_told_with_the_first_of_them(asked: Any) -> None:
    match = {"endpoint": "transcriptions"}
    told = asked("POST", "/verify", json={"match": match, "at_most": 1}).json()
    assert [(each["number"], each["mismatches"]) for each in told["nearest"]] == [(1, []), (2, [])]
    assert told["error"]["message"].startswith(
        "Requests that match endpoint='transcriptions': 2 of 3, expected at most 1.\n  #1 POST"
    )


def test_those_beyond_the_first_are_counted(control: Any) -> None:
    for _ in range(5):
        control.speak()
    told = control("POST", "/verify", json={"count": 2}).json()
    assert [each["number"] for each in told["nearest"]] == [1, 2, 3]
    said, *lines = told["error"]["message"].splitlines()
    assert said == "Requests: 5 of 5, expected exactly 2."
    assert [line.endswith(": matches") for line in lines[:3]] == [True] * 3
    assert lines[3:] == ["  and 2 more"]


def test_none_at_all_are_told(control: Any) -> None:
    told = control("POST", "/verify", json={}).json()
    assert told["error"]["message"] == "Requests: 0 of 0, expected at least 1."


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"count": -1}, "count"),
        ({"count": 1, "at_least": 1}, None),
        ({"at_least": 2, "at_most": 1}, None),
        ({"match": {"colour": "red"}}, "match.colour"),
        ({"times": 1}, "times"),
        ([], None),
    ],
)
def test_a_wrong_expectation_is_refused(control: Any, body: Any, param: str | None) -> None:
    answer = control("POST", "/verify", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "'limit' takes a whole number of at least 1, not '0'."),
        ("modle=x", "There is no condition 'modle'; did you mean 'model'?"),
        ("seconds=x", "'seconds' takes a number or a list, not 'x'."),
        ("seconds=3,1", "'seconds' takes a number or a list, not ('3', '1'): the least is more "),
        ("endpoint=speec", "'endpoint' takes 'speech', 'transcriptions', 'translations', "),
    ],
)
def test_a_wrong_query_is_told_in_a_sentence(control: Any, query: str, message: str) -> None:
    answer = control("GET", f"/requests?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(message)
    assert answer.json()["error"]["param"] == query.partition("=")[0]


def test_near_misses_are_told_with_what_kept_them_from_matching(
    control: Any, second_of_silence: bytes
) -> None:
    control("POST", "/stubs", json=HELLO | {"match": {"file_name": "*.mp3", "language": "en"}})
    control("POST", "/stubs", json=HELLO | {"match": {"file_name": "*.wav", "language": "fr"}})
    id_ = control.transcribe(second_of_silence, language="en").headers["x-request-id"]
    control.speak()  # has no stub to match
    control("DELETE", "/stubs")
    (told,) = control("GET", "/near-misses").json()["near_misses"]
    assert told["request"]["id"] == id_
    assert told["nearest"] == "stub:stub-2"
    assert told["mismatches"] == [{"condition": "language", "wanted": "fr", "got": "en"}]


def test_a_strict_scope_without_stubs_has_near_misses_without_any(control: Any) -> None:
    control("PUT", "/settings", json={"strict": True})
    control.speak()
    (told,) = control("GET", "/near-misses").json()["near_misses"]
    assert (told["nearest"], told["mismatches"]) == (None, [])
    assert told["request"]["status"] == 400


def test_the_fields_that_a_journal_keeps_are_bounded() -> None:
    journal = Journal(most_fields=1000)
    for number in range(1, 11):
        fields = {"input": "x" * 300}
        exchange = Exchange(f"req_{number}", number, "test", "speech", "POST", "/v1", fields=fields)
        exchange.body_bytes = 300
        journal.add(exchange)
    assert [one.number for one in journal.all()] == [8, 9, 10]
    journal.clear()
    huge = Exchange("req_huge", 1, "test", "speech", "POST", "/v1", fields={"input": "x" * 2000})
    huge.body_bytes = 2000
    journal.add(huge, era=1)
    assert [one.id for one in journal.all()] == ["req_huge"]


def test_a_field_of_json_is_matched_as_it_is_written(control: Any) -> None:
    control.speak("Hi.", extra=True)
    assert numbers(control("GET", "/requests?fields[extra]=true")) == [1]
