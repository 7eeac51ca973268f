"""What the store says when it cannot serve: one line each, written for a person at a terminal.

These are not `ApiError` values: weights are fetched before a server says that it is ready, never
by a request.
"""


class StoreError(Exception):
    """Any failure of the store. Its text is one line that names the cause, and the way out.

    Attributes:
        found: the cause alone.
        remedy: a command, or a step, that mends it; None where none is known.
    """

    def __init__(self, found: str, remedy: str | None = None) -> None:
        super().__init__(f"{found}; to mend it: {remedy}" if remedy else found)
        self.found = found
        self.remedy = remedy


class CatalogError(StoreError):
    """The catalog itself does not read as one."""


class ModelMissingError(StoreError):
    """No usable model of that id lies in the store."""


class NoFolderError(ModelMissingError):
    """The store itself is not there, or is no folder."""


class UnreadableError(StoreError):
    """A file or folder of the store is there, or may be, and cannot be read."""


class SourceError(StoreError):
    """One source cannot give one file; another may."""


class PullError(StoreError):
    """No source could give the model whole, or the store could not take it."""
