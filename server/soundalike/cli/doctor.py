"""`soundalike doctor`."""

import sys
from typing import Any

import click

from soundalike.cli.engines import check_engines
from soundalike.cli.options import read_settings, setting_options
from soundalike.doctor import diagnose
from soundalike.doctor.findings import Finding, Status, main_job_runs
from soundalike.served import whisper_options
from soundalike.store.folder import ModelStore

_COLOURS: dict[Status, str] = {"ok": "green", "warning": "yellow", "missing": "red"}

_WORST_FIRST: tuple[Status, ...] = ("missing", "warning", "ok")


@click.command(short_help="Say what is missing, with the command that mends it.")
@setting_options(
    *("models", "engine", "speech_engine", "transcription_engine", "whisper_model"),
    *("device", "compute_type", "transcription_slots", "transcription_threads"),
)
def doctor(**given: Any) -> None:
    """Say what is found and what is missing, with the command that mends it.

    Exits with 1 when speech or transcription cannot run.
    """
    settings = read_settings(**given)
    check_engines(settings, "speech", "transcription")
    findings = diagnose(
        ModelStore(settings.models),
        speech_engine=settings.speech_engine_name,
        transcription_engine=settings.transcription_engine_name,
        model=settings.whisper_model,
        options=whisper_options(settings),
    )
    for finding in sorted(findings, key=lambda finding: _WORST_FIRST.index(finding.status)):
        click.echo(_line(finding))
    if main_job_runs(findings):
        click.secho("\nSpeech and transcription can run.", fg="green")
    else:
        click.secho("\nSpeech or transcription cannot run yet; see above.", fg="red")
        sys.exit(1)


def _line(finding: Finding) -> str:
    status = click.style(f"{finding.status:7}", fg=_COLOURS[finding.status], bold=True)
    line = f"{status}  {finding.topic:21} {finding.text}"
    return f"{line}\n{'':31}-> {finding.remedy}" if finding.remedy else line
