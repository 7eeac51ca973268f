"""Pulling from installed wheels: joined, verified, resumed, and never half done."""

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from soundalike.store import pull as pull_module
from soundalike.store.catalog import CatalogEntry, HubSource, ModelFile, WheelSource, catalog
from soundalike.store.errors import ModelMissingError, NoFolderError, PullError
from soundalike.store.folder import ModelStore
from soundalike.store.pull import ensure, pull
from soundalike.store.record import verify
from soundalike.store.weights import flaw

FIRST, SECOND = bytes(range(256)) * 400, b"second half " * 5000
WEIGHTS = FIRST + SECOND
CONFIG = b'{"alignment_heads": []}'
CONTENT = {"model.bin": WEIGHTS, "config.json": CONFIG}

Install = Callable[[str, Mapping[str, bytes]], WheelSource]


class Progress:
    """Records every report, per file."""

    def __init__(self) -> None:
        self.seen: dict[str, list[tuple[int, int]]] = {}

    def __call__(self, file: str, done: int, total: int) -> None:
        self.seen.setdefault(file, []).append((done, total))


def entry(*sources: WheelSource | HubSource) -> CatalogEntry:
    files = tuple(
        ModelFile(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in CONTENT.items()
    )
    return CatalogEntry("small", "whisper", "made up", "MIT", ("en",), files, sources)


def store_for(tmp_path: Path, *entries: CatalogEntry) -> ModelStore:
    return ModelStore(tmp_path / "models", {entry.id: entry for entry in entries})


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a distribution as pip would lay it out, its package unusable as code."""

    def install(name: str, files: Mapping[str, bytes]) -> WheelSource:
        site = tmp_path / f"site-{name}"
        package = name.replace("-", "_")
        info = site / f"{package}-1.0.0.dist-info"
        data = site / package / "data"
        for folder in (info, data):
            folder.mkdir(parents=True)
        (site / package / "__init__.py").write_text("raise AssertionError('imported')")
        for path, content in files.items():
            (data / path).write_bytes(content)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n")
        rows = [f"{package}/__init__.py,,", *(f"{package}/data/{path},," for path in files)]
        (info / "RECORD").write_text("\n".join(rows) + "\n")
        monkeypatch.syspath_prepend(str(site))
        whole = {path: (f"{package}/data/{path}",) for path in files if path in CONTENT}
        return WheelSource(f"{name}==1.0.0", (name,), whole)

    return install


@pytest.fixture
def wheels(install: Install) -> WheelSource:
    """Two wheels that share the weights, as those of whisper-base do."""
    install("small-part1", {"model.bin.part1": FIRST, "config.json": CONFIG})
    install("small-part2", {"model.bin.part2": SECOND})
    return WheelSource(
        "soundalike[small]",
        ("small-part1", "small-part2"),
        {
            "model.bin": (
                "small_part1/data/model.bin.part1",
                "small_part2/data/model.bin.part2",
            ),
            "config.json": ("small_part1/data/config.json",),
        },
    )


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}


def written(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of the last write of every file, which a rewrite would change."""
    stats = {path.name: path.stat() for path in folder.iterdir()}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def hidden_folders(store: ModelStore) -> list[str]:
    return [path.name for path in store.folder.iterdir() if path.is_dir() and path.name[0] == "."]


def test_the_pieces_are_joined_verified_and_named_in_the_end(
    tmp_path: Path, wheels: WheelSource
) -> None:
    small = entry(wheels)
    store, progress = store_for(tmp_path, small), Progress()
    folder = pull(small, store, progress)
    assert folder == store.folder / "small" == store.path("small")
    assert content_of(folder) == CONTENT
    assert hidden_folders(store) == []
    for name, content in CONTENT.items():
        reports = progress.seen[name]
        assert reports == sorted(reports)
        assert (reports[0], reports[-1]) == ((0, len(content)), (len(content), len(content)))


def test_a_second_pull_does_nothing(tmp_path: Path, wheels: WheelSource) -> None:
    small = entry(wheels)
    store, progress = store_for(tmp_path, small), Progress()
    folder = pull(small, store, Progress())
    before = written(folder)
    assert pull(small, store, progress) == folder
    assert progress.seen == {}
    assert written(folder) == before


@pytest.mark.parametrize("had", [1, 5000, len(FIRST), len(FIRST) + 7, len(WEIGHTS)])
def test_an_interrupted_pull_goes_on_from_the_bytes_it_has(
    tmp_path: Path, wheels: WheelSource, had: int
) -> None:
    small = entry(wheels)
    store, progress = store_for(tmp_path, small), Progress()
    partial = store.folder / ".partial-small"
    partial.mkdir(parents=True)
    (partial / "model.bin").write_bytes(WEIGHTS[:had])
    assert store.models() == ()
    assert content_of(pull(small, store, progress)) == CONTENT
    assert progress.seen["model.bin"][0] == (had, len(WEIGHTS))
    assert min(done for done, _ in progress.seen["model.bin"]) == had


@pytest.mark.parametrize(
    "left_over", [b"wrong from the start", b"\xff" + WEIGHTS[1:], WEIGHTS + b"and more"]
)
def test_bytes_of_an_earlier_pull_that_prove_wrong_are_fetched_again(
    tmp_path: Path, wheels: WheelSource, left_over: bytes
) -> None:
    small = entry(wheels)
    store = store_for(tmp_path, small)
    partial = store.folder / ".partial-small"
    partial.mkdir(parents=True)
    (partial / "model.bin").write_bytes(left_over)
    assert content_of(pull(small, store, Progress())) == CONTENT


def test_a_wrong_hash_names_file_hashes_and_source_and_leaves_no_model(
    tmp_path: Path, install: Install
) -> None:
    swapped = b"\x01" + WEIGHTS[1:]
    small = entry(install("bad", {**CONTENT, "model.bin": swapped}))
    store = store_for(tmp_path, small)
    with pytest.raises(PullError) as raised:
        pull(small, store, Progress())
    message = str(raised.value)
    assert "\n" not in message
    for part in (
        "model.bin",
        "wheels (bad)",
        hashlib.sha256(WEIGHTS).hexdigest(),
        hashlib.sha256(swapped).hexdigest(),
    ):
        assert part in message
    assert store.models() == ()
    assert not (store.folder / ".partial-small" / "model.bin").exists()


def test_a_file_that_one_source_gives_wrong_is_taken_from_the_next(
    tmp_path: Path, install: Install
) -> None:
    bad = install("bad", {**CONTENT, "model.bin": b"\x01" + WEIGHTS[1:]})
    cut = install("cut", {"model.bin": WEIGHTS[:1000] + b"?"})
    long = install("long", {"model.bin": WEIGHTS + b"more"})
    small = entry(bad, cut, long, install("good", CONTENT))
    assert content_of(pull(small, store_for(tmp_path, small), Progress())) == CONTENT


def test_a_source_that_sends_too_much_is_stopped(tmp_path: Path, install: Install) -> None:
    small = entry(install("endless", {"model.bin": WEIGHTS + bytes(8_000_000)}))
    progress = Progress()
    with pytest.raises(PullError, match=r"model\.bin has sha256"):
        pull(small, store_for(tmp_path, small), progress)
    assert len(progress.seen["model.bin"]) == 2, "the start, and the one chunk that was too much"


def test_without_wheels_and_offline_both_ways_are_named(tmp_path: Path) -> None:
    absent = WheelSource("soundalike[small]", ("not-installed",), {"model.bin": ("a",)})
    small = entry(absent, HubSource("someone/something", "1" * 40))
    with pytest.raises(PullError) as raised:
        pull(small, store_for(tmp_path, small), Progress(), offline=True)
    message = str(raised.value)
    assert "\n" not in message
    for part in (
        "not-installed is not installed",
        "Hugging Face Hub (someone/something): not asked, being offline",
        "pip install 'soundalike[small]'",
        "connect to the network and run: soundalike pull small",
    ):
        assert part in message


def test_wheels_do_without_a_network(tmp_path: Path, wheels: WheelSource) -> None:
    small = entry(wheels, HubSource("someone/something", "1" * 40))
    store = store_for(tmp_path, small)
    assert content_of(pull(small, store, Progress(), offline=True)) == CONTENT


def test_a_wheel_that_does_not_list_the_file_is_passed_over(
    tmp_path: Path, install: Install
) -> None:
    poor = install("poor", {"config.json": CONFIG})
    lying = WheelSource("poor", ("poor",), {"model.bin": ("poor/data/model.bin",)})
    small = entry(poor, lying)
    with pytest.raises(PullError, match=r"they do not carry poor/data/model\.bin"):
        pull(small, store_for(tmp_path, small), Progress())


def test_a_wheel_whose_file_is_gone_is_passed_over(tmp_path: Path, install: Install) -> None:
    emptied = install("emptied", CONTENT)
    (tmp_path / "site-emptied" / "emptied" / "data" / "model.bin").unlink()
    small = entry(emptied, install("good", CONTENT))
    assert content_of(pull(small, store_for(tmp_path, small), Progress())) == CONTENT


def test_a_model_damaged_since_its_pull_is_no_model_and_the_next_pull_mends_it(
    tmp_path: Path, wheels: WheelSource
) -> None:
    small = entry(wheels)
    store, progress = store_for(tmp_path, small), Progress()
    folder = pull(small, store, Progress())
    (folder / "model.bin").write_bytes(WEIGHTS[:100])
    with pytest.raises(ModelMissingError, match=r"not whole.*soundalike pull small"):
        store.path("small")
    pull(small, store, progress)
    assert content_of(folder) == CONTENT
    assert progress.seen["config.json"] == [(len(CONFIG), len(CONFIG))], "the good file was kept"
    assert hidden_folders(store) == []


def test_bytes_changed_since_the_pull_are_noticed_by_the_next(
    tmp_path: Path, wheels: WheelSource
) -> None:
    small = entry(wheels)
    store = store_for(tmp_path, small)
    weights = pull(small, store, Progress()) / "model.bin"
    weights.write_bytes(b"\x01" + WEIGHTS[1:])
    os.utime(weights, ns=(1, 1))
    assert [line.split()[0] for line in verify(small, weights.parent)] == ["model.bin"]
    pull(small, store, Progress())
    assert weights.read_bytes() == WEIGHTS


def test_a_good_copy_made_by_hand_is_verified_once_and_needs_no_source(tmp_path: Path) -> None:
    small = entry(HubSource("someone/something", "1" * 40))
    store, progress = store_for(tmp_path, small), Progress()
    folder = store.folder / "small"
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    assert pull(small, store, progress, offline=True) == folder
    assert progress.seen == {}
    assert (folder / ".soundalike.json").is_file()


def test_files_that_somebody_else_put_under_the_name_are_not_touched(
    tmp_path: Path, wheels: WheelSource
) -> None:
    small = entry(wheels)
    store = store_for(tmp_path, small)
    folder = store.folder / "small"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"my own")
    with pytest.raises(PullError) as raised:
        pull(small, store, Progress())
    assert f"mv {folder} {folder}.old && soundalike pull small" in str(raised.value)
    assert content_of(folder) == {"model.bin": b"my own"}


def test_an_empty_folder_under_the_name_is_filled(tmp_path: Path, wheels: WheelSource) -> None:
    small = entry(wheels)
    store = store_for(tmp_path, small)
    (store.folder / "small").mkdir(parents=True)
    assert content_of(pull(small, store, Progress())) == CONTENT


def test_a_store_that_cannot_be_made_is_one_clear_line(tmp_path: Path, wheels: WheelSource) -> None:
    (tmp_path / "models").write_text("a file where the store should be")
    small = entry(wheels)
    with pytest.raises(NoFolderError, match=r"models is not a folder; [^\n]+$"):
        pull(small, store_for(tmp_path, small), Progress())


def test_a_store_that_cannot_be_written_still_serves_a_good_model(
    tmp_path: Path, wheels: WheelSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    small = entry(wheels)
    store = store_for(tmp_path, small)
    folder = pull(small, store, Progress())
    (folder / ".soundalike.json").unlink()
    monkeypatch.setattr(pull_module, "FileLock", refuse)
    assert pull(small, store, Progress()) == folder
    (folder / "config.json").unlink()
    with pytest.raises(PullError, match=r"^cannot write small to .*: Permission denied$"):
        pull(small, store, Progress())


def test_too_little_room_is_found_out_before_anything_is_written(
    tmp_path: Path, wheels: WheelSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = entry(wheels)
    store = store_for(tmp_path, small)
    usage = shutil.disk_usage(tmp_path)._replace(free=small.bytes - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(PullError, match=r"no room for small in .*: 0 MB needed, 0 MB free"):
        pull(small, store, Progress())
    assert list((store.folder / ".partial-small").iterdir()) == []


def test_a_write_that_fails_is_one_clear_line_and_the_next_pull_goes_on(
    tmp_path: Path, wheels: WheelSource
) -> None:
    small = entry(wheels)
    store, progress = store_for(tmp_path, small), Progress()
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(PullError, match=r"^cannot write small to .*models: File too large$"):
            pull(small, store, Progress())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.models() == ()
    assert content_of(pull(small, store, progress)) == CONTENT
    assert progress.seen["model.bin"][0] == (50_000, len(WEIGHTS))


def test_pulls_at_the_same_time_do_the_work_once(tmp_path: Path, wheels: WheelSource) -> None:
    small = entry(wheels)
    store, progress = store_for(tmp_path, small), Progress()
    barrier = threading.Barrier(6)
    folders: list[Path] = []

    def run() -> None:
        barrier.wait()
        folders.append(pull(small, store, progress))

    threads = [threading.Thread(target=run) for _ in range(barrier.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders == [store.folder / "small"] * barrier.parties
    assert content_of(folders[0]) == CONTENT
    starts = [report for report in progress.seen["model.bin"] if report[0] == 0]
    assert starts == [(0, len(WEIGHTS))]


def test_ensure_takes_what_is_there_and_pulls_what_is_not(
    tmp_path: Path, wheels: WheelSource
) -> None:
    small = entry(wheels)
    store, progress = store_for(tmp_path, small), Progress()
    folder = ensure(store, "small", progress)
    assert content_of(folder) == CONTENT
    seen = dict(progress.seen)
    assert ensure(store, "small", progress) == folder
    assert progress.seen == seen
    with pytest.raises(ModelMissingError, match="no model is called 'other'"):
        ensure(store, "other", progress)


def test_whisper_base_comes_whole_out_of_its_wheels(tmp_path: Path) -> None:
    base = catalog()["whisper-base"]
    for source in base.sources:
        for name in source.distributions if isinstance(source, WheelSource) else ():
            try:
                distribution(name)
            except PackageNotFoundError:
                pytest.skip(f"{name} is not installed (extra whisper-base)")
    store = ModelStore(tmp_path / "models")
    folder = pull(base, store, Progress(), offline=True)
    assert verify(base, folder) == []
    assert flaw(folder) is None
    assert [model.entry for model in store.models()] == [base]
    shutil.rmtree(folder)  # 148 MB that pytest would keep for three runs
