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


@contextmanager
def unbuilt() -> Iterator[None]:
    """The models of pydantic that are defined meanwhile are built when they are first used.

    FastAPI defines all that an OpenAPI document can consist of, which is a tenth of the start.
    """
    from pydantic import BaseModel

    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]
