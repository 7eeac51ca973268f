"""What `soundalike doctor` finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `remedy` is a command, or a step, that mends what is not ok.

    An `essential` finding that is `missing`, or unfit, means that the main job cannot run.
    """

    topic: str
    status: Status
    text: str
    remedy: str | None = None
    essential: bool = False


def main_job_runs(findings: Sequence[Finding]) -> bool:
    """Whether speech and transcription can work as things stand."""
    return not any(found.essential and found.status == "missing" for found in findings)
