"""The doctor: what is missing is named with what mends it, and no library can take it down."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from soundalike import doctor
from soundalike.doctor import diagnose
from soundalike.doctor.findings import Finding, main_job_runs
from soundalike.probes import ProbeError, ask
from soundalike.store.catalog import CatalogEntry, HubSource, ModelFile, WheelSource
from soundalike.store.folder import ModelStore

CONTENT = {"model.bin": b"weights", "config.json": b"{}"}
FILES = tuple(
    ModelFile(name, len(content), hashlib.sha256(content).hexdigest())
    for name, content in CONTENT.items()
)
HUB = HubSource("someone/something", "1" * 40)
WHEELS = WheelSource("pytest", ("pytest",), dict.fromkeys(CONTENT, ("pytest/x",)))
"""What is installed wherever the tests are."""

HEALTHY: dict[str, Any] = {
    "speech": {"voices": 13, "languages": 100},
    "transcription": {"faster-whisper": "1.2.1", "ctranslate2": "4.8.5"},
    "plan": {
        "cores": 2,
        "gpus": 0,
        "device": "cpu",
        "compute_type": "int8",
        "slots": 2,
        "threads": 1,
        "number_types": ["float32", "int8"],
    },
    "encoders": {"libmp3lame": True, "libopus": True, "aac": True, "flac": True},
}

ENGINES = """
import os, time
from soundalike.engines.base import Voice

class Fine:
    def __init__(self, config): print("a library that chats")
    def voices(self): return (Voice("alloy", ""), Voice("ash", ""))
    def languages(self): return ("en",)
    def close(self): pass

class Broken(Fine):
    def __init__(self, config): raise RuntimeError("libespeak-ng.so.1: cannot open")

class Crashing(Fine):
    def __init__(self, config): os.abort()

class Quitting(Fine):
    def __init__(self, config): os._exit(3)

class Vanishing(Fine):
    def __init__(self, config): os._exit(0)

class Hanging(Fine):
    def __init__(self, config): time.sleep(600)
"""
LACKING = "import a_package_that_nobody_has"

Answer = Callable[[Mapping[str, Any]], None]


def entry(*sources: HubSource | WheelSource) -> CatalogEntry:
    return CatalogEntry("small", "whisper", "made up", "MIT", ("en",), FILES, sources or (HUB,))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", {"small": entry()})


@pytest.fixture
def with_weights(store: ModelStore) -> Path:
    folder = store.folder / "small"
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Stands in for the child processes: a probe answers with a value, or fails with an error."""

    def answer(answers: Mapping[str, Any]) -> None:
        def ask(probe: str, *arguments: str, timeout: float) -> Any:
            found = {**HEALTHY, **answers}[probe]
            if isinstance(found, ProbeError):
                raise found
            return found

        monkeypatch.setattr(doctor, "ask", ask)

    answer({})
    return answer


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs a distribution with engines of every kind of ill health, for child processes."""
    site = tmp_path / "site"
    info = site / "made_up_engines-1.0.0.dist-info"
    info.mkdir(parents=True)
    (site / "made_up_engines.py").write_text(ENGINES)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up-engines\nVersion: 1.0.0\n")
    (site / "lacking_engines.py").write_text(LACKING)
    names = ("Fine", "Broken", "Crashing", "Quitting", "Vanishing", "Hanging")
    points = "\n".join(f"{name.lower()} = made_up_engines:{name}" for name in names)
    points += "\nlacking = lacking_engines:Any"
    (info / "entry_points.txt").write_text(f"[soundalike.speech_engines]\n{points}\n")
    monkeypatch.setenv("PYTHONPATH", str(site))


def examine(
    store: ModelStore, speech: str = "pyttsx3", transcription: str = "whisper", model: str = "small"
) -> dict[str, list[Finding]]:
    by_topic: dict[str, list[Finding]] = {}
    for finding in diagnose(
        store,
        speech_engine=speech,
        transcription_engine=transcription,
        model=model,
        options={"slots": 0},
    ):
        by_topic.setdefault(finding.topic, []).append(finding)
    return by_topic


def runs(found: Mapping[str, list[Finding]]) -> bool:
    return main_job_runs([finding for findings in found.values() for finding in findings])


@pytest.mark.usefixtures("with_weights", "libraries")
def test_a_healthy_machine_has_nothing_to_mend(store: ModelStore) -> None:
    found = examine(store)
    assert list(found) == [
        "speech engine",
        "transcription engine",
        "weights",
        "devices",
        "codecs",
        "store",
        "disk",
    ]
    assert {finding.status for findings in found.values() for finding in findings} == {"ok"}
    assert runs(found)
    texts = {topic: findings[0].text for topic, findings in found.items()}
    assert "13 voices, 100 languages" in texts["speech engine"]
    assert "faster-whisper 1.2.1, ctranslate2 4.8.5" in texts["transcription engine"]
    assert "small: 2 files" in texts["weights"]
    assert texts["devices"] == (
        "2 CPU cores, no CUDA devices; Whisper runs in 2 slots of 1 thread, int8 on cpu"
    )
    assert "libmp3lame, libopus, aac, flac" in texts["codecs"]
    assert str(store.folder) in texts["store"]


@pytest.mark.usefixtures("with_weights")
@pytest.mark.parametrize(
    ("probe", "answer", "topic", "remedy"),
    [
        ("speech", ProbeError("no libespeak-ng"), "speech engine", "espeakng-loader"),
        ("transcription", ProbeError("no module"), "transcription engine", "faster-whisper"),
        ("encoders", ProbeError("no module"), "codecs", "pip install --force-reinstall av"),
        ("encoders", {"libmp3lame": True, "libopus": False}, "codecs", "pip install"),
    ],
)
def test_what_the_main_job_needs_is_reported_missing_with_what_mends_it(
    store: ModelStore, libraries: Answer, probe: str, answer: object, topic: str, remedy: str
) -> None:
    libraries({probe: answer})
    found = examine(store)
    (finding,) = found[topic]
    assert finding.status == "missing"
    assert finding.remedy is not None
    assert remedy in finding.remedy
    assert not runs(found)


@pytest.mark.usefixtures("with_weights")
def test_an_engine_of_somebody_else_is_not_mended_but_replaced(
    store: ModelStore, libraries: Answer
) -> None:
    libraries({"speech": ProbeError("no parrot"), "transcription": ProbeError("no ear")})
    found = examine(store, speech="parrot", transcription="ear")
    remedies = [found[f"{direction} engine"][0].remedy for direction in ("speech", "transcription")]
    assert remedies == [
        "choose an installed engine: soundalike serve --speech-engine pyttsx3",
        "choose an installed engine: soundalike serve --transcription-engine whisper",
    ]


@pytest.mark.usefixtures("with_weights")
def test_a_plan_that_cannot_be_made_is_no_obstacle(store: ModelStore, libraries: Answer) -> None:
    libraries({"plan": ProbeError("driver too old")})
    found = examine(store)
    assert (found["devices"][0].status, runs(found)) == ("warning", True)
    assert "driver too old" in found["devices"][0].text


@pytest.mark.usefixtures("libraries")
def test_absent_weights_that_only_the_network_has_are_missing(store: ModelStore) -> None:
    store.folder.mkdir()
    found = examine(store)
    (finding,) = found["weights"]
    assert (finding.status, finding.remedy) == (
        "missing",
        f"soundalike pull small --models {store.folder}",
    )
    assert not runs(found)


@pytest.mark.usefixtures("libraries")
def test_a_mistyped_folder_is_told_and_not_made(tmp_path: Path) -> None:
    """Not even by `serve` out of installed wheels."""
    store = ModelStore(tmp_path / "typo", {"small": entry(WHEELS)})
    found = examine(store)
    assert "weights" not in found
    (finding,) = found["store"]
    assert (finding.status, finding.text) == ("missing", f"there is no folder {store.folder}")
    assert finding.remedy is not None
    assert finding.remedy.startswith("check --models, or SOUNDALIKE_MODELS; or ")
    assert not runs(found)
    assert runs(examine(store, transcription="stub"))
    assert not store.folder.exists()


@pytest.mark.usefixtures("libraries")
def test_the_usual_folder_may_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tmp_path / "usual"
    monkeypatch.setattr("soundalike.store.folder.default_folder", lambda: usual)
    (finding,) = examine(ModelStore(usual, {"small": entry()}))["store"]
    assert (finding.status, finding.text) == ("ok", f"{usual} is made by the first pull")


@pytest.mark.usefixtures("libraries")
def test_absent_weights_whose_wheels_are_installed_are_no_defect(tmp_path: Path) -> None:
    found = examine(ModelStore(tmp_path, {"small": entry(WHEELS)}))
    (finding,) = found["weights"]
    assert (finding.status, finding.remedy) == ("ok", None)
    assert finding.text.endswith("serve takes it from the installed wheels")
    assert runs(found)


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("damage", [b"WEIGHTS", b"w"])
@pytest.mark.parametrize(
    ("source", "status", "told"),
    [
        (WHEELS, "warning", "serve takes it from the installed wheels"),
        (HUB, "missing", "serve fetches it over the network, unless --offline"),
    ],
)
def test_damage_is_told_with_what_serve_will_do_about_it(
    with_weights: Path, damage: bytes, source: HubSource | WheelSource, status: str, told: str
) -> None:
    (with_weights / "model.bin").write_bytes(damage)
    (with_weights / ".soundalike.json").write_text("{}")
    found = examine(ModelStore(with_weights.parent, {"small": entry(source)}))
    (finding,) = found["weights"]
    assert (finding.status, runs(found)) == (status, status == "warning")
    assert finding.text.endswith(told)


@pytest.mark.usefixtures("libraries")
def test_damage_to_what_soundalike_did_not_pull_is_not_for_serve_to_mend(
    with_weights: Path,
) -> None:
    (with_weights / "model.bin").write_bytes(b"WEIGHTS")
    found = examine(ModelStore(with_weights.parent, {"small": entry(WHEELS)}))
    (finding,) = found["weights"]
    assert (finding.status, runs(found)) == ("missing", False)
    assert "serve" not in finding.text
    assert str(finding.remedy).startswith("mv ")


@pytest.mark.usefixtures("with_weights", "libraries")
def test_folders_that_are_no_model_are_warned_of(store: ModelStore) -> None:
    (store.folder / "mine").mkdir()
    (store.folder / "mine" / "config.json").write_text("{}")
    found = examine(store)
    assert [finding.status for finding in found["weights"]] == ["ok", "warning"]
    assert found["weights"][1].text.startswith("mine: no model.bin, no tokenizer.json")
    assert runs(found)


@pytest.mark.usefixtures("with_weights")
@pytest.mark.parametrize(
    ("chosen", "told", "remedy"),
    [
        (
            {"compute_type": "float16"},
            "CTranslate2 cannot compute in float16 on cpu",
            "choose --compute-type auto, or one of float32, int8",
        ),
        (
            {"device": "cuda", "compute_type": "float32", "number_types": []},
            "there is no CUDA device that CTranslate2 can use",
            "choose --device cpu, or auto",
        ),
    ],
)
def test_what_this_machine_cannot_compute_is_missing(
    store: ModelStore, libraries: Answer, chosen: dict[str, Any], told: str, remedy: str
) -> None:
    libraries({"plan": HEALTHY["plan"] | chosen})
    found = examine(store)
    (finding,) = found["devices"]
    assert (finding.status, finding.text, finding.remedy) == ("missing", told, remedy)
    assert not runs(found)
    assert "devices" not in examine(store, transcription="stub")


@pytest.mark.usefixtures("with_weights")
def test_the_number_type_of_the_weights_file_is_always_possible(
    store: ModelStore, libraries: Answer
) -> None:
    libraries({"plan": HEALTHY["plan"] | {"compute_type": "default"}})
    assert runs(examine(store))


@pytest.mark.usefixtures("libraries")
def test_a_wrong_hash_is_found_although_the_size_is_right(
    store: ModelStore, with_weights: Path
) -> None:
    (with_weights / "model.bin").write_bytes(b"WEIGHTS")
    (with_weights / ".soundalike.json").write_text("{}")
    found = examine(store)
    (finding,) = found["weights"]
    assert (finding.status, finding.remedy) == (
        "missing",
        f"soundalike pull small --models {store.folder}",
    )
    assert hashlib.sha256(b"WEIGHTS").hexdigest() in finding.text
    assert FILES[0].sha256 in finding.text
    assert not runs(found)


@pytest.mark.usefixtures("libraries")
def test_damage_to_a_model_that_is_not_in_use_does_not_stop_the_main_job(
    store: ModelStore, with_weights: Path
) -> None:
    other = store.folder / "other"
    other.mkdir()
    for name in CONTENT:
        (other / name).write_bytes(b"0" * len(CONTENT[name]))
    known = {"small": entry(), "other": CatalogEntry("other", "w", "", "", (), FILES, (HUB,))}
    found = examine(ModelStore(store.folder, known))
    assert [finding.status for finding in found["weights"]] == ["ok", "warning"]
    assert (
        found["weights"][1].remedy
        == f"mv {other} {other}.old && soundalike pull other --models {store.folder}"
    )
    assert runs(found)


@pytest.mark.usefixtures("libraries")
def test_an_engine_without_weights_needs_none(store: ModelStore) -> None:
    found = examine(store, speech="stub", transcription="stub")
    assert found["weights"][0].status == "ok"
    assert runs(found)


@pytest.mark.usefixtures("libraries", "with_weights")
def test_a_model_that_nobody_knows_is_missing(store: ModelStore) -> None:
    found = examine(store, model="nobodys")
    assert "'nobodys'" in found["weights"][0].text
    assert [finding.status for finding in found["weights"]] == ["missing", "ok"]
    assert not runs(found)


@pytest.mark.usefixtures("libraries")
def test_a_store_that_is_no_folder_is_reported(store: ModelStore) -> None:
    store.folder.write_text("a file")
    (finding,) = examine(store)["store"]
    assert finding.status == "missing"
    assert finding.remedy is not None
    assert "SOUNDALIKE_MODELS" in finding.remedy


@pytest.mark.usefixtures("libraries")
def test_serve_takes_no_weights_into_a_store_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    found = examine(ModelStore(tmp_path, {"small": entry(WHEELS)}))
    assert (found["weights"][0].status, runs(found)) == ("missing", False)


@pytest.mark.usefixtures("libraries", "with_weights")
def test_a_store_that_cannot_be_written_is_a_warning(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    found = examine(store)
    assert (found["store"][0].status, runs(found)) == ("warning", True)


@pytest.mark.usefixtures("libraries", "with_weights")
def test_a_disk_that_is_nearly_full_is_a_warning(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(store.folder)._replace(free=10_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    (finding,) = examine(store)["disk"]
    assert finding.status == "warning"
    assert "10 MB free" in finding.text


@pytest.mark.usefixtures("engines")
def test_an_engine_is_opened_in_a_process_of_its_own() -> None:
    assert ask("speech", "fine", timeout=60) == {"voices": 2, "languages": 1}


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize(
    ("engine", "report"),
    [
        ("broken", r"libespeak-ng\.so\.1: cannot open$"),
        ("crashing", "killed by signal 6"),
        ("quitting", "ended with status 3"),
        ("vanishing", "ended without an answer"),
        ("absent", "^no speech engine is called 'absent'"),
        (
            "lacking",
            r"^the speech engine lacking lacks the package a_package_\w+; to mend it: pip install ",
        ),
    ],
)
def test_an_engine_that_does_not_start_is_reported_in_one_line(engine: str, report: str) -> None:
    with pytest.raises(ProbeError, match=report) as raised:
        ask("speech", engine, timeout=60)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("engines", "with_weights")
def test_the_package_that_an_engine_lacks_is_got_with_the_engine(store: ModelStore) -> None:
    (finding,) = examine(store, speech="lacking")["speech engine"]
    assert finding.text.endswith("lacks the package a_package_that_nobody_has")
    assert finding.remedy == "pip install made-up-engines"


@pytest.mark.usefixtures("engines")
def test_an_engine_that_hangs_is_given_up() -> None:
    with pytest.raises(ProbeError, match="no answer within 1 s"):
        ask("speech", "hanging", timeout=1)


@pytest.mark.usefixtures("engines", "with_weights")
def test_the_real_libraries_of_this_machine_are_found(store: ModelStore) -> None:
    found = examine(store, speech="fine")
    assert runs(found), found
    assert "2 voices" in found["speech engine"][0].text
    assert "ctranslate2 4" in found["transcription engine"][0].text
    assert found["devices"][0].status == "ok"
    assert "libopus" in found["codecs"][0].text


def test_the_doctor_itself_loads_no_native_library_and_no_hub() -> None:
    code = (
        "import sys, soundalike.doctor, soundalike.store.pull;"
        "print(sorted({'av', 'numpy', 'ctranslate2', 'onnxruntime', 'faster_whisper', 'pyttsx3',"
        " 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
