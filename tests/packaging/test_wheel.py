"""What is shipped: the built wheel, not the tree."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(CHECKOUT)],
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_one_import_package_with_its_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    roots = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert roots == {"soundalike"}
    assert "soundalike/py.typed" in names
    assert "soundalike/store/catalog.toml" in names
    assert all(
        name.endswith((".py", ".toml", "py.typed")) or ".dist-info/" in name for name in names
    )


def test_the_wheel_offers_its_command_and_its_engines(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    text = archive.read(entry_points).decode()
    assert "soundalike = soundalike.cli:main" in text
    for group in ("soundalike.speech_engines", "soundalike.transcription_engines"):
        assert f"[{group}]" in text


def test_no_weights_are_committed() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "models"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == ["models/README.md"]


def test_nothing_of_onnxruntimes_telemetry_is_written(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", "import soundalike, onnxruntime"],
        check=True,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        cwd=tmp_path,
    )
    assert not list(tmp_path.rglob("*onnxruntime*"))
    assert not list(tmp_path.rglob("Microsoft"))
