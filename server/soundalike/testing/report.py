"""What is wrong with a scope at the end of a test, in words."""

from collections.abc import Iterable, Iterator, Sequence

from soundalike.fixture.exchange import Exchange, Mismatch
from soundalike.fixture.faults import ActiveFault
from soundalike.fixture.matching import Match
from soundalike.fixture.scopes import Scope
from soundalike.fixture.stubs import Answer, Stub
from soundalike.testing.conditions import nearest, told

__tracebackhide__ = True

LONGEST = 60
"""Characters of a value that are shown."""


def problems(scope: Scope) -> list[str]:
    """Everything that its test should know of: requests that were refused because nothing matched,
    stubs and faults that no request met, and answers that failed by themselves."""
    exchanges = scope.journal.all()
    return [
        *(_unmatched(one) for one in exchanges if _is_unmatched(one)),
        *(_failed(one) for one in exchanges if _failed_by_itself(one)),
        *(_unused_stub(stub, exchanges) for stub in scope.stubs.unused()),
        *(_unused_fault(fault, exchanges) for fault in scope.faults.unused()),
    ]


def request_line(exchange: Exchange) -> str:
    """Who asked what and how it was answered, in a line."""
    asked = list(_asked(exchange))
    line = f"request {exchange.number}: {exchange.method} {exchange.path}"
    if asked:
        line += f" ({', '.join(asked)})"
    answered = "without an answer" if exchange.status is None else f"answered {exchange.status}"
    return f"{line}, {answered} by {exchange.answered_by}"


def _asked(exchange: Exchange) -> Iterator[str]:
    if file := exchange.file:
        seconds = "no audio" if file.seconds is None else f"{file.seconds:g} s"
        yield f"file {file.name!r}, {seconds}"
    for name, value in exchange.fields.items():
        shown = repr(value)
        yield f"{name}={shown if len(shown) <= LONGEST else shown[:LONGEST] + '...'}"


def _unmatched(exchange: Exchange) -> str:
    line = f"no stub or recording answers {request_line(exchange)}"
    near = exchange.near_miss
    if near is None:
        return f"{line}\n    there is none for its endpoint"
    found = near.nearest.replace(":", " ")
    return "\n".join([line, f"    nearest is {found}", *_diff(near.mismatches)])


def _is_unmatched(exchange: Exchange) -> bool:
    """Whether it was refused for that, and not left to the engine."""
    return not exchange.matched and exchange.answered_by == "refusal"


def _failed_by_itself(exchange: Exchange) -> bool:
    if _is_unmatched(exchange):
        return False
    if exchange.error is not None:
        return True
    ours = exchange.answered_by.partition(":")[0] in ("engine", "stub", "refusal")
    return exchange.status == 500 and exchange.fault is None and ours


def _failed(exchange: Exchange) -> str:
    reason = exchange.error or "the log of the server says why"
    return f"the server failed {request_line(exchange)}\n    {reason}"


def _unused_stub(stub: Stub, exchanges: Sequence[Exchange]) -> str:
    spec = stub.spec
    line = f"{stub.id} answered nothing: {spec.endpoint}, {_answer(spec.answers[0])}"
    lines = [f"{line}, with {told(spec.match)}"]
    same = [one for one in exchanges if one.endpoint == spec.endpoint]
    return "\n".join(lines + _nearest(spec.match, same))


def _unused_fault(active: ActiveFault, exchanges: Sequence[Exchange]) -> str:
    fault = active.fault
    given = fault.model_dump(exclude_defaults=True, exclude={"kind", "match"})
    options = "".join(f", {name}={value!r}" for name, value in given.items())
    lines = [f"{active.id} failed nothing: {fault.kind}{options}, for {told(fault.match)}"]
    if active.passed:
        return f"{lines[0]}\n    it let {active.passed} pass, of {fault.skip} to skip"
    return "\n".join(lines + _nearest(fault.match, exchanges))


def _nearest(match: Match, exchanges: Sequence[Exchange]) -> list[str]:
    found = nearest(match, exchanges)
    if found is None:
        return ["    no request came to its endpoint"]
    exchange, mismatches = found
    if not mismatches:
        return [f"    another came first for {request_line(exchange)}"]
    return [f"    nearest is {request_line(exchange)}", *_diff(mismatches)]


def _diff(mismatches: Iterable[Mismatch]) -> list[str]:
    return [f"      {mismatch}" for mismatch in mismatches]


def _answer(answer: Answer) -> str:
    if answer.audio is not None:
        return f"audio {answer.audio.name!r}"
    texts = [part.text for part in answer.segments or ()] + [w.word for w in answer.words or ()]
    text = " ".join(texts) if answer.text is None else answer.text
    return repr(text if len(text) <= LONGEST else text[:LONGEST] + "...")
