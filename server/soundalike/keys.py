"""API keys in a file: one a line; empty lines and those that begin with `#` are passed over.

No error or warning quotes a line: what is wrong in the file may still be a key.
"""

import stat
from collections.abc import Iterable
from pathlib import Path

KEYLESS = "without one every key would pass"
"""Why keys that are none are refused."""


def read_keys(path: Path) -> tuple[str, ...]:
    """The keys of a file, which has at least one.

    Raises:
        ValueError: the file cannot be read, or holds no key or something that is none.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ValueError(f"the keys in {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} holds no keys: it is no text in UTF-8") from None
    lines = (line.strip() for line in text.splitlines())
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise ValueError(f"{path} holds no key; {KEYLESS}")
    check_keys(keys)
    return keys


def check_keys(keys: Iterable[str]) -> None:
    """See that each can be sent in a header as it is.

    Raises:
        ValueError: one holds a character other than the printable ones of ASCII.
    """
    for number, key in enumerate(keys, 1):
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise ValueError(
                f"API key {number} cannot be sent in a header: only ASCII without spaces can"
            )


def is_open_to_others(path: Path) -> bool:
    """Whether users of the machine other than its owner may read or change a file."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
