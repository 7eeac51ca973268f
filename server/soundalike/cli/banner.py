"""What a person sees when the server is ready."""

import re
import textwrap

import click

from soundalike.served import ServedModels
from soundalike.settings import ENV_PREFIX, Settings, is_loopback

ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104


def reached(host: str) -> str:
    """How a URL on this machine names the address that a server listens on."""
    if host in ANY_ADDRESS:
        host = "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def banner(settings: Settings, models: ServedModels, base_url: str) -> str:
    """What a person sees when the server is ready."""
    from soundalike import __version__

    title = click.style(f"soundalike {__version__} is ready", fg="green", bold=True)
    rows = _rows(settings, models, base_url)
    table = "\n".join(_row(name, text) for name, text in rows.items())
    key = "$OPENAI_API_KEY" if settings.api_keys else "sk-local"
    curl = (
        f'curl -sS --fail-with-body {base_url}/audio/speech -H "Authorization: Bearer {key}"'
        ' -H "Content-Type: application/json"'
        """ -d '{"model": "tts-1", "voice": "alloy", "input": "Hello from your own machine."}'"""
        " -o speech.mp3"
    )
    return f"\n{title}\n\n{table}\n\nTry it:\n\n  {curl}\n\nCtrl-C ends it.\n"


def _rows(settings: Settings, models: ServedModels, base_url: str) -> dict[str, str]:
    from soundalike.contracts.table import GPT_4O_MINI_TTS, TTS_1
    from soundalike.contracts.terms import SpeechContract, TranscriptionContract

    first, more = TTS_1.voices or (), GPT_4O_MINI_TTS.voices or ()
    rows = {"Base URL": base_url}
    if settings.host in ANY_ADDRESS:
        rows["Listens on"] = "all addresses of this machine"
    rows |= {
        "API key": "one of yours; the line below takes it from $OPENAI_API_KEY"
        if settings.api_keys
        else "any, as sk-local",
        "Speech": f"{_undated(models.public(SpeechContract))}; by {models.speech}",
        "Transcription": f"{_undated(models.public(TranscriptionContract))}; by "
        f"{models.transcription}",
        "Voices": f"{', '.join(sorted(first))}; and with gpt-4o-mini-tts "
        f"{', '.join(sorted({*more} - {*first}))}",
    }
    if settings.is_fixture:
        rows["For tests"] = (
            f"{base_url.removesuffix('/v1')}/s/NAME/v1 for each, {_way_to_control(settings)}"
        )
    return rows


def _way_to_control(settings: Settings) -> str:
    if settings.control_token:
        return "/_soundalike to control, with the token"
    if is_loopback(settings.host):
        return "/_soundalike to control"
    return f"/_soundalike closed without {ENV_PREFIX}CONTROL_TOKEN"


def _undated(ids: tuple[str, ...]) -> str:
    """The ids without those of dated snapshots, which `soundalike models` lists."""
    return ", ".join(id_ for id_ in ids if not re.search(r"-\d{4}", id_))


def _row(name: str, text: str) -> str:
    """A row of the banner, wrapped and aligned."""
    lines = textwrap.wrap(text, 80, break_on_hyphens=False)
    return "\n".join(
        f"  {click.style(f'{label:14}', bold=True)} {line}"
        for label, line in zip([name, *[""] * (len(lines) - 1)], lines, strict=True)
    )
