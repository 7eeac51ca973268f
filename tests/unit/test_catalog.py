"""The catalog of models: what is listed, and that nothing unsound can be."""

from dataclasses import FrozenInstanceError

import pytest

from soundalike.store.catalog import HubSource, WheelSource, catalog, read_catalog
from soundalike.store.errors import CatalogError

ENTRY = """
[[models]]
id = "{id}"
engine = "whisper"
description = "made up"
licence = "MIT"
languages = ["en"]
files = [{{ path = "{path}", bytes = 3, sha256 = "{sha256}" }}]
sources = [{{ kind = "{kind}", repository = "someone/something", revision = "{revision}" }}]
"""


def text(
    model_id: str = "small",
    path: str = "model.bin",
    sha256: str = "0" * 64,
    kind: str = "hub",
    revision: str = "1" * 40,
) -> str:
    return ENTRY.format(id=model_id, path=path, sha256=sha256, kind=kind, revision=revision)


def test_whisper_base_is_listed_with_the_published_sizes_and_hashes() -> None:
    entry = catalog()["whisper-base"]
    assert (entry.engine, entry.licence) == ("whisper", "MIT")
    assert {file.path: (file.bytes, file.sha256) for file in entry.files} == {
        "model.bin": (
            145217532,
            "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        ),
        "config.json": (2309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
        "tokenizer.json": (
            2203239,
            "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        ),
        "vocabulary.txt": (
            459861,
            "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        ),
    }
    assert entry.bytes == 147882941
    assert len(entry.languages) == len(set(entry.languages)) == 99
    assert {"en", "fr", "de", "es", "zh"} <= set(entry.languages)


def test_whisper_base_comes_from_wheels_first_and_then_from_one_commit_of_the_hub() -> None:
    wheels, hub = catalog()["whisper-base"].sources
    assert isinstance(wheels, WheelSource)
    assert wheels.requirement == "soundalike[whisper-base]"
    assert hub == HubSource(
        "Systran/faster-whisper-base", "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"
    )


@pytest.mark.parametrize("model_id", catalog())
def test_every_wheel_source_carries_every_file_of_its_model(model_id: str) -> None:
    entry = catalog()[model_id]
    for source in entry.sources:
        if isinstance(source, WheelSource):
            assert set(source.pieces) == {file.path for file in entry.files}
            assert all(source.pieces.values())


def test_entries_cannot_be_changed() -> None:
    entry = catalog()["whisper-base"]
    with pytest.raises(FrozenInstanceError):
        entry.licence = "none"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        entry.files[0].sha256 = "0" * 64  # type: ignore[misc]


@pytest.mark.parametrize("name", ["../up", "a/b", "a\\\\b", ".hidden", "..", "", "-flag"])
def test_a_name_that_could_leave_the_store_is_no_id_and_no_file(name: str) -> None:
    with pytest.raises(CatalogError):
        read_catalog(text(model_id=name))
    with pytest.raises(CatalogError):
        read_catalog(text(path=name))


def test_a_hash_that_is_none_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"model\.bin"):
        read_catalog(text(sha256="abc"))


def test_an_unknown_kind_of_source_is_refused() -> None:
    with pytest.raises(CatalogError, match="torrent"):
        read_catalog(text(kind="torrent"))


def test_one_id_names_one_model() -> None:
    assert list(read_catalog(text("one") + text("two"))) == ["one", "two"]
    with pytest.raises(CatalogError, match="two models"):
        read_catalog(text("one") + text("one"))


def test_a_text_that_is_no_catalog_is_refused() -> None:
    with pytest.raises(CatalogError):
        read_catalog("models = 3")
    with pytest.raises(CatalogError):
        read_catalog("[[models]]\nid = 'nameless'")
