"""A job that is being worked on, as whoever works on it sees it.

A lane steps an engine's iterator; one step can take a minute. In the midst of it the engine says
now and then that it comes forward, and hears whether anybody still wants the result. A job that
waits in line for what it takes says when it begins, and when it has to wait once more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class AbandonedError(Exception):
    """Nobody wants the result of this job any more. The engine lets it pass."""


class Underway:
    """Where one job stands. For any thread.

    How long it is stuck is counted in looks at it rather than timed, so that a pause of the whole
    machine, in which nobody looks, is none of its own.

    Args:
        on_begin: called when it begins, and when it goes on after it has waited once more.
        on_wait: called when it has to wait once more.

    Attributes:
        begun: it has what it had to wait for, and is worked on.
        abandoned: nobody wants it any more.
    """

    def __init__(
        self,
        on_begin: Callable[[], None] = lambda: None,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._quiet = 0
        self._stepping = False
        self._on_begin = on_begin
        self._on_wait = on_wait
        self._has_given = False
        self.begun = False
        self.abandoned = False

    def begin(self) -> None:
        """It has all that it had to wait for. On the thread that steps it; without effect when it
        is called again."""
        if not self.begun:
            self.begun = True
            self._on_begin()

    def give(self) -> None:
        """It has given something, and so begun at the latest."""
        self.begin()
        self._has_given = True

    def wait(self) -> None:
        """It needs more than it had, and waits in line for that. Until it begins again. Without
        effect once it has given something: what it waits for then is a part of its work."""
        if self.begun and not self._has_given:
            self.begun = False
            self._on_wait()

    def abandon(self) -> None:
        """Nobody wants it any more."""
        self.abandoned = True

    def come_forward(self) -> None:
        """Called between the parts of a long step, and while it waits for its turn.

        Raises:
            AbandonedError: nobody wants it any more.
        """
        self._quiet = 0
        self.check()

    def check(self) -> None:
        """Called while others work for it, and may be stuck.

        Raises:
            AbandonedError: nobody wants it any more.
        """
        if self.abandoned:
            raise AbandonedError

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Meanwhile a step is taken on this thread."""
        self._quiet = 0
        # A flag of its own: who works for this job on another thread may come forward at its end.
        self._stepping = True
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)
            self._stepping = False

    def look(self) -> int:
        """Called again and again: how often in a row it had not come forward since the time
        before; 0 while no step is taken."""
        self._quiet = self._quiet + 1 if self._stepping else 0
        return self._quiet


_current: ContextVar[Underway | None] = ContextVar("underway", default=None)


def underway() -> Underway:
    """The job that is being stepped on this thread; outside of lanes one that nobody abandons."""
    return _current.get() or Underway()
