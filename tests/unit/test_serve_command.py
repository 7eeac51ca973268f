"""What `serve` does where the web server itself cannot start."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import click
import pytest

from soundalike.cli.serve import _serve
from soundalike.settings import Settings


def test_a_server_that_cannot_start_does_not_say_that_it_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, caplog: Any
) -> None:
    def no_space(**_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("soundalike.app.TemporaryDirectory", no_space)
    settings = Settings(engine="stub", runtime="inline", models=tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with pytest.raises(click.ClickException, match="could not start"):
            asyncio.run(_serve(settings, listening))
    assert "no space left" in caplog.text
    assert "ready" not in capsys.readouterr().out
