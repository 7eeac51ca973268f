"""Turns the settings into flags, so that they are declared once."""

import types
from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from soundalike.settings import ENV_PREFIX, SECRETS, Settings

Command = TypeVar("Command", bound=Callable[..., Any])

FLAGGED = tuple(name for name in Settings.model_fields if name not in SECRETS)
"""The settings that have a flag."""


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


def _problem(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    variable = f"{ENV_PREFIX}{name.upper()}"
    if name in SECRETS:
        return f"{variable}: {message}"
    return f"{flag(name)} (or {variable}): {message}, not {error['input']!r}"


def _option(name: str, info: FieldInfo) -> Callable[[Command], Command]:
    annotation = info.annotation
    if get_origin(annotation) is types.UnionType:
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    attributes: dict[str, Any] = {"default": None, "help": f"{info.description}{_default(info)}"}
    declaration = flag(name)
    if annotation is bool:
        declaration += f"/--no-{declaration[2:]}"
    elif get_origin(annotation) is Literal:
        attributes["type"] = click.Choice(get_args(annotation))
    elif get_origin(annotation) is tuple:
        attributes |= {"multiple": True, "metavar": "TEXT"}
    else:
        # The settings validate; the flag only says what to type.
        attributes["metavar"] = getattr(annotation, "__name__", "text").upper()
    return click.option(declaration, name, **attributes)


def _refusing(name: str) -> Callable[[Command], Command]:
    def refuse(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
        del ctx, option
        if value is not None:
            raise click.UsageError(
                f"No such option {flag(name)}: every user of a machine can read the flags of a "
                f"process. Set {ENV_PREFIX}{name.upper()}"
            )

    return click.option(flag(name), name, hidden=True, expose_value=False, callback=refuse)


def _default(info: FieldInfo) -> str:
    default = info.get_default(call_default_factory=True, validated_data={})
    if default in (None, (), PydanticUndefined) or isinstance(default, bool):
        return ""
    return f"  [default: {default}]"
