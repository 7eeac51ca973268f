"""How the commands load the modules that they need."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is looked for meanwhile, nor afterwards among what was made meanwhile.

    For imports: they make hundreds of thousands of objects and hardly any garbage, so that a
    seventh of their time goes into looking for it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
