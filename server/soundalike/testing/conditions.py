"""The conditions of a stub or a search, as keyword arguments."""

from collections.abc import Collection, Iterable, Mapping, Set
from typing import Any, TypedDict

from pydantic import BaseModel, ValidationError

from soundalike.fixture.exchange import Endpoint, Exchange, Mismatch
from soundalike.fixture.matching import Match
from soundalike.fixture.problems import first_problem
from soundalike.fixture.spelling import meant

__tracebackhide__ = True


class Conditions(TypedDict, total=False):
    """What a request must be like: the fields of `soundalike.fixture.matching.Match`.

    Texts may hold the wildcards `*`, `?` and `[...]`. `seconds` is the duration of the upload, or
    its least and most (None for no bound).
    """

    method: str
    path: str
    model: str
    voice: str
    language: str
    text: str
    prompt: str
    instructions: str
    response_format: str
    file_name: str
    content_type: str
    sha256: str
    audio_sha256: str
    seconds: float | tuple[float | None, float | None]
    headers: Mapping[str, str]
    fields: Mapping[str, str]


class RequestConditions(Conditions, total=False):
    """The same, of requests to any endpoint."""

    endpoint: Endpoint


def match_of(
    conditions: Mapping[str, Any], known: type[Conditions | RequestConditions] = RequestConditions
) -> Match:
    """The conditions that are given, which must be among the known ones.

    Raises:
        TypeError: there is no such condition.
        ValueError: a condition has a value that it cannot have.
    """
    for name in conditions:
        if name not in known.__annotations__:
            raise TypeError(unknown("condition", name, known.__annotations__))
    try:
        return Match(**conditions)
    except ValidationError as error:
        raise refused(error, Match) from None


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """What to say of a name that there is none of."""
    return f"there is no {kind} {name!r}{meant(name, known)} There are: {', '.join(sorted(known))}"


def refused(
    error: ValidationError, *models: type[BaseModel], secrets: Set[str] = frozenset()
) -> ValueError:
    """What to raise for arguments that a model does not take.

    Args:
        models: those that may have raised the error.
        secrets: arguments whose values are not to be repeated.
    """
    model = next(each for each in models if each.__name__ == error.title)
    schema = model.model_json_schema()
    problem = first_problem(schema, error.errors(), noun="option", secrets=secrets)
    return ValueError(problem.sentence("it"))


def nearest(match: Match, exchanges: Iterable[Exchange]) -> tuple[Exchange, list[Mismatch]] | None:
    """The exchange that misses the fewest conditions, the latest of several."""
    found = [(exchange, match.mismatches(exchange)) for exchange in exchanges]
    return min(reversed(found), key=lambda one: len(one[1]), default=None)


def told(match: Match) -> str:
    """The conditions as they were written."""
    given = match.conditions()
    return ", ".join(f"{name}={value!r}" for name, value in given.items()) or "no conditions"
