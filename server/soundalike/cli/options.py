"""Turns the settings into flags, so that they are declared once."""

import difflib
import re
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from soundalike.engines.registry import GROUPS, engine_names
from soundalike.errors import shown
from soundalike.schemas import taken
from soundalike.settings import ENV_PREFIX, SECRETS, Settings

Command = TypeVar("Command", bound=Callable[..., Any])

FLAGGED = tuple(name for name in Settings.model_fields if name not in SECRETS)
"""The settings that have a flag."""

LONGEST_METAVAR = 40
"""Characters of choices that stand beside a flag; more stand below it."""

_METAVARS: dict[Any, str] = {int: "INTEGER", float: "FLOAT", Path: "PATH"}
"""What click calls these types; everything else is a text."""

_FOREIGN = re.compile(
    r"URL|COMMAND"  # read by the examples
    r"|UID|GID|MEMORY"  # read by docker-compose.yml
    r"|SERVICE_.*|PORT_\d+_.*"  # set by Kubernetes for a service called soundalike
)
"""Variables that somebody else reads or sets."""


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Give a command a flag for each named setting, or for all where none is named; but for those
    that are secret, of which it is told what to use instead."""

    def decorate(command: Command) -> Command:
        for name in () if names else sorted(SECRETS):
            command = _refusing(name)(command)
        for name in reversed(names or FLAGGED):
            command = _option(name, Settings.model_fields[name])(command)
        return command

    return decorate


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def read_settings(**given: Any) -> Settings:
    """The settings, where the flags that were given win over variables and defaults.

    Raises:
        click.UsageError: a value does not do; one line a problem.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value not in (None, ())})
    except ValidationError as error:
        raise click.UsageError("\n".join(_problem(e) for e in error.errors())) from None


def strays(environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that looks like a setting and is none. An engine may have its
    own, which begin with its name."""
    known = [name.upper() for name in Settings.model_fields]
    for variable in sorted(environment):
        name = variable.upper().removeprefix(ENV_PREFIX)  # pydantic reads them in any case
        if name in (variable.upper(), *known) or _FOREIGN.fullmatch(name):
            continue
        if close := difflib.get_close_matches(name, known, 1):
            yield f"{variable} is no setting; did you mean {ENV_PREFIX}{close[0]}?"
        elif not name.startswith(tuple(_engine_prefixes())):
            yield f"{variable} is no setting."


def _engine_prefixes() -> Iterator[str]:
    for kind in GROUPS:
        for name in engine_names(kind):
            yield name.upper().replace("-", "_") + "_"


def _variable(name: str) -> str:
    return f"{ENV_PREFIX}{name.upper()}"


def _problem(error: Any) -> str:
    """Which setting, what it takes, and what came."""
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    if name in SECRETS:
        return f"{_variable(name)}: {message}"
    if error["type"] != "value_error":
        message = f"takes {taken(Settings.model_json_schema()['properties'][name])}"
    return f"{flag(name)} (or {_variable(name)}) {message}, not {shown(repr(error['input']))}"


def _option(name: str, info: FieldInfo) -> Callable[[Command], Command]:
    annotation = info.annotation
    if get_origin(annotation) is types.UnionType:
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    attributes: dict[str, Any] = {"default": None, "help": f"{info.description}{_default(info)}"}
    declaration = flag(name)
    if annotation is bool:
        declaration += f"/--no-{declaration[2:]}"
    elif get_origin(annotation) is Literal:
        choices = get_args(annotation)
        attributes["type"] = click.Choice(choices)
        if len("|".join(choices)) > LONGEST_METAVAR:
            attributes["metavar"] = "TEXT"
            attributes["help"] += f"  [one of: {', '.join(choices)}]"
    else:
        # The settings validate; the flag only says what to type.
        attributes["metavar"] = _METAVARS.get(annotation, "TEXT")
        attributes["multiple"] = get_origin(annotation) is tuple
    return click.option(declaration, name, **attributes)


def _refusing(name: str) -> Callable[[Command], Command]:
    def refuse(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
        del ctx, option
        if value is not None:
            raise click.UsageError(
                f"No such option {flag(name)}: every user of a machine can read the flags of a "
                f"process. Set {_variable(name)}"
            )

    return click.option(flag(name), name, hidden=True, expose_value=False, callback=refuse)


def _default(info: FieldInfo) -> str:
    default = info.get_default(call_default_factory=True, validated_data={})
    if default in (None, (), PydanticUndefined) or isinstance(default, bool):
        return ""
    return f"  [default: {default}]"
