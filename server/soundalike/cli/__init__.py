"""The `soundalike` command: serve, pull, models, voices, doctor."""

import click

from soundalike import __version__
from soundalike.cli.doctor import doctor
from soundalike.cli.listing import models, voices
from soundalike.cli.pull import pull
from soundalike.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="soundalike")
def main() -> None:
    """A local emulator of the OpenAI Audio API."""


for command in (serve, pull, models, voices, doctor):
    main.add_command(command)
