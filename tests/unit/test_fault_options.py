"""Which requests fail, and what the options of a fault do."""

import random
import re
from typing import Any

import pytest

from soundalike.errors import InvalidRequestError
from soundalike.fixture.exchange import Exchange
from soundalike.fixture.faults import FAULTS, Faults, fault, fault_of_header
from soundalike.fixture.faults.corrupt_audio import CorruptAudio
from soundalike.fixture.faults.garbage import Garbage
from soundalike.fixture.faults.latency import Latency
from soundalike.fixture.faults.sse_cut import SseCut
from soundalike.fixture.faults.truncate import Truncate


def request(header: str | None = None, **fields: Any) -> Exchange:
    headers = {"x-soundalike-fault": header} if header else {}
    return Exchange(
        id="req_1",
        number=1,
        scope="default",
        endpoint="speech",
        method="POST",
        path="/v1/audio/speech",
        headers=headers,
        fields=fields,
    )


def taken(faults: Faults, count: int, header: str | None = None) -> list[str | None]:
    met = (faults.take(request(header, model="tts-1")) for _ in range(count))
    return [one.kind if one else None for one in met]


def test_a_fault_is_met_so_many_times_after_so_many() -> None:
    faults = Faults()
    active = faults.add(fault("hang", {"skip": 1, "times": 2}))
    assert faults.unused() == [active]
    assert taken(faults, 5) == [None, "hang", "hang", None, None]
    assert (active.uses, active.spent, faults.unused()) == (2, True, [])


def test_a_fault_is_met_by_requests_that_match() -> None:
    faults = Faults()
    faults.add(fault("hang", {"match": {"model": "gpt-*"}, "times": 1}))
    assert taken(faults, 1) == [None]
    assert faults.take(request(model="gpt-4o-mini-tts")) is not None


def test_the_oldest_fault_comes_first() -> None:
    faults = Faults()
    faults.add(fault("hang", {"times": 1}))
    faults.add(fault("reset", {}))
    assert taken(faults, 3) == ["hang", "reset", "reset"]


def test_a_seed_decides_which_requests_fail() -> None:
    def pattern(seed: int) -> list[str | None]:
        faults = Faults(seed)
        faults.add(fault("hang", {"probability": 0.5}))
        return taken(faults, 40)

    assert pattern(1) == pattern(1)
    assert pattern(1) != pattern(2)
    assert {None, "hang"} == set(pattern(1))


def test_a_fault_of_probability_zero_is_never_met() -> None:
    faults = Faults()
    faults.add(fault("hang", {"probability": 0}))
    assert taken(faults, 20) == [None] * 20


def test_requests_with_the_same_header_are_counted_together() -> None:
    faults = Faults()
    assert taken(faults, 3, "reset; times=2") == ["reset", "reset", None]
    assert taken(faults, 1, "reset; times=1") == ["reset"]
    assert faults.all() == []
    faults.clear()
    assert taken(faults, 1, "reset; times=2") == ["reset"]


def test_a_header_comes_before_the_faults_of_the_scope() -> None:
    faults = Faults()
    faults.add(fault("hang", {}))
    assert taken(faults, 2, "reset; times=1") == ["reset", "hang"]


def test_a_header_gives_options_of_every_type() -> None:
    given = fault_of_header(
        "status; status=429 ;retry_after_ms=5.5; should_retry=false; message=No. = No; code=404; "
        'match={"endpoint": "speech"};'
    )
    assert given == fault(
        "status",
        {
            "status": 429,
            "retry_after_ms": 5.5,
            "should_retry": False,
            "message": "No. = No",
            "code": "404",
            "match": {"endpoint": "speech"},
        },
    )


@pytest.mark.parametrize(
    ("header", "param"),
    [
        ("explode", "kind"),
        ("", "kind"),
        ("hang; seconds=3", "seconds"),
        ("status; status=99", "status"),
        ("truncate; share=1", "share"),
        ("reset; times=0", "times"),
        ("reset; match=speech", "match"),
        ('reset; match={"colour": "red"}', "match.colour"),
        ("wrong_content_type; content_type= ", "content_type"),
    ],
)
def test_what_is_no_fault_is_refused(header: str, param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        fault_of_header(header)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("header", "option", "takes"),
    [
        ("latency; seconds=abc", "seconds", "a number of at least 0, not 'abc'"),
        ("drip; size=2.5", "size", "a whole number of at least 1, not '2.5'"),
        ("truncate; share=1", "share", "a number of at least 0 and below 1, not '1'"),
        ("status; status=99", "status", "a whole number from 200 to 599, not '99'"),
        ("truncate; framing=x", "framing", "'length', 'chunked' or 'close', not 'x'"),
        ("status; should_retry=x", "should_retry", "true or false, not 'x'"),
        ("reset; match=speech", "match", "a JSON object, not 'speech'"),
        ('reset; match={"headers": {"a": 1}}', "match.headers.a", "a text, not 1"),
        (
            *('reset; match={"seconds": [3, 1]}', "match.seconds"),
            "a number or a list, not [3, 1]: the least is more than the most",
        ),
        (
            *("latency; seconds=inf", "seconds"),
            "a number of at least 0, not 'inf': it has to be finite",
        ),
    ],
)
def test_a_wrong_option_is_told_in_a_sentence(header: str, option: str, takes: str) -> None:
    kind = header.partition(";")[0]
    with pytest.raises(InvalidRequestError) as refused:
        fault_of_header(header)
    assert refused.value.message == f"The option {option!r} of the fault {kind!r} takes {takes}."


def test_an_option_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        fault_of_header("hang; tims=3")
    assert refused.value.message == (
        "The fault 'hang' has no option 'tims'; did you mean 'times'? "
        "It has: match, probability, skip, times."
    )


@pytest.mark.parametrize("header", ["status; status=429; status=500", "hang; x=1;x = 2"])
def test_an_option_is_given_once(header: str) -> None:
    kind, option = re.findall(r"\w+", header)[:2]
    with pytest.raises(InvalidRequestError) as refused:
        fault_of_header(header)
    told = f"The option {option!r} of the fault {kind!r} was given twice."
    assert (refused.value.message, refused.value.param) == (told, option)


def test_a_condition_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        fault("reset", {"match": {"modle": "x"}})
    assert refused.value.message.startswith(
        "The option 'match' of the fault 'reset' has no condition 'modle'; did you mean 'model'?"
    )


def test_a_kind_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        fault_of_header("statsu; status=429")
    assert refused.value.message == (
        "No fault is called 'statsu'; did you mean 'status'? "
        f"There are: {', '.join(sorted(FAULTS))}."
    )


@pytest.mark.parametrize(
    ("options", "told", "param"),
    [
        ({"\ud800": 1}, "The fault 'hang' has no option '\\ud800'. It has", "\ud800"),
        (
            {"match": {"\ud800": "x"}},
            "The option 'match' of the fault 'hang' has no condition '\\ud800'. It has",
            "match.\ud800",
        ),
        (
            {"match": {"endpoint": "\ud800"}},
            "The option 'match.endpoint' of the fault 'hang' takes 'speech',",
            "match.endpoint",
        ),
    ],
)
def test_a_name_that_is_no_text_is_told_as_one_that_there_is_not(
    options: dict[str, Any], told: str, param: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        fault("hang", options)
    assert refused.value.message.startswith(told)
    assert refused.value.param == param


LONG = "x" * 60_000


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (LONG, {}),
        ("hang", {LONG: 1}),
        ("hang", {"times": LONG}),
        ("hang", {"match": {LONG: 1}}),
        ("hang", {"match": {"headers": {LONG: 1}}}),
    ],
)
def test_what_is_long_is_told_by_its_ends(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match="…") as refused:
        fault(kind, options)
    assert len(refused.value.message) < 1000
    assert len(refused.value.param or "") < 300


def test_every_value_that_an_option_may_have_can_be_told() -> None:
    for kind, model in FAULTS.items():
        for name in set(model.model_fields) - {"kind"}:
            with pytest.raises(InvalidRequestError, match=f"option '{name}' .* takes "):
                fault(kind, {name: [object()]})


def test_every_fault_does_without_options() -> None:
    assert {fault(kind, {}).kind for kind in FAULTS} == set(FAULTS)


@pytest.mark.parametrize(
    ("options", "size"),
    [({}, 5), ({"share": 0.3}, 3), ({"after_bytes": 2}, 2), ({"after_bytes": 99}, 9)],
)
def test_a_body_is_cut_and_never_whole(options: dict[str, Any], size: int) -> None:
    body = b"0123456789"
    assert Truncate(**options).part(body) == body[:size]
    assert Truncate(**options).part(b"") == b""


def test_latency_follows_its_distribution() -> None:
    chance = random.Random(7)
    assert Latency(seconds=3).delay(chance) == 3
    uniform = Latency(seconds=1, distribution="uniform", spread=0.2)
    times = [uniform.delay(chance) for _ in range(200)]
    assert 0.8 <= min(times) < 0.85 < 1.15 < max(times) <= 1.2
    lognormal = Latency(seconds=1, distribution="lognormal", spread=0.5)
    times = sorted(lognormal.delay(chance) for _ in range(401))
    assert 0.8 < times[200] < 1.25
    assert times[-1] > 2
    assert Latency(seconds=0, distribution="lognormal").delay(chance) == 0


def test_damage_is_the_same_every_time_and_spread_evenly() -> None:
    audio = bytes(range(256)) * 40
    damaged = CorruptAudio().damaged(audio)
    assert damaged == CorruptAudio().damaged(audio)
    assert len(damaged) == len(audio)
    assert damaged[:64] == audio[:64]
    wrong = [place for place, (a, b) in enumerate(zip(audio, damaged, strict=True)) if a != b]
    assert len(wrong) == pytest.approx(len(audio) / 10, rel=0.05)
    assert wrong[0] == 64
    assert wrong[-1] > len(audio) - 700
    everything = CorruptAudio(share=1, intact=0).damaged(audio)
    assert all(a != b for a, b in zip(audio, everything, strict=True))


def test_garbage_is_the_same_every_time() -> None:
    assert Garbage().data() == Garbage().data()
    assert len(Garbage(size=5).data()) == 5
    assert Garbage().data().startswith(b"\0")


def test_a_stream_is_cut_before_the_events_that_close_it() -> None:
    events = [b'data: {"type":"transcript.text.delta","delta":"%d"}\r\n\r\n' % n for n in range(3)]
    closing = b'data: {"type":"transcript.text.done","text":"0"}\r\n\r\ndata: [DONE]\r\n\r\n'
    body = b"".join(events) + closing
    assert SseCut(events=2).begun(body) == b"".join(events[:2])
    assert SseCut(events=9).begun(body) == b"".join(events)
    assert SseCut(events=0).begun(body) == b""


@pytest.mark.parametrize(
    "header",
    [
        "status; match=" + "[" * 20_000,
        'status; match={"seconds": NaN}',
        "latency; distribution=lognormal; spread=1e9",
    ],
)
def test_a_header_that_cannot_be_met_is_refused(header: str) -> None:
    with pytest.raises(InvalidRequestError):
        fault_of_header(header)


def test_chances_begin_anew_when_faults_are_cleared() -> None:
    faults = Faults(seed=7)
    before = faults.add(fault("hang", {"probability": 0.5}))
    met = taken(faults, 30)
    faults.clear()
    after = faults.add(fault("hang", {"probability": 0.5}))
    assert taken(faults, 30) == met
    assert before.id != after.id


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n"])
def test_events_are_told_apart_whatever_ends_their_lines(end: bytes) -> None:
    events = [b"data: 1" + end, b"data: 2" + end, b"data: [DONE]" + end]
    assert SseCut(events=1).begun(b"".join(events)) == events[0]
    assert SseCut(events=9).begun(b"".join(events)) == events[0] + events[1]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("status", {"body": "\ud800"}),
        ("status", {"message": "\ud800"}),
        ("status", {"retry_after": float("inf")}),
        ("sse_error", {"message": "\ud800"}),
        ("latency", {"seconds": float("inf")}),
        ("drip", {"seconds": float("inf")}),
        ("corrupt_audio", {"share": 1e-320}),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        fault(kind, options)
