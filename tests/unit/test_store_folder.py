"""A folder of models: what counts as one, and what its id leads to."""

import struct
from pathlib import Path

import pytest

from soundalike.store.catalog import CatalogEntry, HubSource, ModelFile
from soundalike.store.errors import ModelMissingError, NoFolderError
from soundalike.store.folder import ModelStore
from soundalike.store.location import default_folder

SOURCE = HubSource("someone/something", "1" * 40)
KNOWN = {
    "known": CatalogEntry(
        id="known",
        engine="whisper",
        description="made up",
        licence="MIT",
        languages=("en",),
        files=(ModelFile("model.bin", 4, "0" * 64), ModelFile("config.json", 2, "0" * 64)),
        sources=(SOURCE,),
    )
}


def weights(specification: str = "WhisperSpec", version: int = 6) -> bytes:
    """A model.bin in CTranslate2's layout: two variables of eight bytes, one alias."""

    def string(text: str) -> bytes:
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    variable = struct.pack("<BII", 2, 1, 8) + struct.pack("<BI", 1, 8) + b"eight by"
    return b"".join(
        (
            struct.pack("<I", version),
            string(specification),
            struct.pack("<II", 3, 2),
            string("encoder/weight") + variable,
            string("decoder/weight") + variable,
            struct.pack("<I", 1),
            string("decoder/other") + string("encoder/weight"),
        )
    )


def drop_in(folder: Path, content: bytes, vocabulary: str = "vocabulary.json") -> Path:
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(content)
    for name in ("config.json", "tokenizer.json", vocabulary):
        (folder / name).write_text("{}")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", KNOWN)


def ids(store: ModelStore) -> list[str]:
    return [model.id for model in store.models()]


def test_a_store_that_is_not_there_holds_nothing(store: ModelStore) -> None:
    assert store.models() == ()
    assert not store.folder.exists()


@pytest.mark.parametrize("vocabulary", ["vocabulary.json", "vocabulary.txt"])
def test_a_whisper_dropped_in_is_a_model_under_its_folders_name(
    store: ModelStore, vocabulary: str
) -> None:
    folder = drop_in(store.folder / "Mein Modell", weights(), vocabulary)
    (model,) = store.models()
    assert (model.id, model.path, model.engine, model.entry) == (
        "Mein Modell",
        folder,
        "whisper",
        None,
    )
    assert store.path("Mein Modell") == folder


def test_models_are_listed_by_id(store: ModelStore) -> None:
    for name in ("beta", "alpha", "gamma"):
        drop_in(store.folder / name, weights())
    assert ids(store) == ["alpha", "beta", "gamma"]


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
def test_a_folder_that_lacks_a_file_is_no_model(store: ModelStore, name: str) -> None:
    folder = drop_in(store.folder / "mine", weights())
    (folder / name).unlink()
    assert ids(store) == []


def test_a_copy_of_weights_that_is_still_under_way_is_no_model(store: ModelStore) -> None:
    whole = weights()
    folder = drop_in(store.folder / "mine", b"")
    for size in range(len(whole)):
        (folder / "model.bin").write_bytes(whole[:size])
        assert ids(store) == [], f"{size} of {len(whole)} bytes"
    (folder / "model.bin").write_bytes(whole)
    assert ids(store) == ["mine"]


def test_another_kind_of_ctranslate2_model_is_no_whisper(store: ModelStore) -> None:
    drop_in(store.folder / "translator", weights("TransformerSpec"))
    drop_in(store.folder / "noise", b"\xff" * 64)
    assert ids(store) == []


def test_weights_of_a_later_layout_are_taken_by_their_name(store: ModelStore) -> None:
    drop_in(store.folder / "later", weights(version=7)[:40])
    assert ids(store) == ["later"]


def test_hidden_folders_and_files_are_passed_over(store: ModelStore) -> None:
    drop_in(store.folder / ".partial-mine", weights())
    (store.folder / "README.md").write_text("Models")
    assert ids(store) == []


def test_a_model_of_the_catalog_is_listed_when_its_files_have_their_sizes(
    store: ModelStore,
) -> None:
    folder = store.folder / "known"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert ids(store) == []
    (folder / "model.bin").write_bytes(b"123")
    assert ids(store) == []
    (folder / "model.bin").write_bytes(b"1234")
    (model,) = store.models()
    assert model.entry is KNOWN["known"]


def test_somebody_elses_model_under_a_name_of_the_catalog_is_served_as_theirs(
    store: ModelStore,
) -> None:
    drop_in(store.folder / "known", weights())
    (model,) = store.models()
    assert (model.id, model.entry) == ("known", None)


def test_a_pulled_model_that_changed_its_size_is_not_taken_for_somebody_elses(
    store: ModelStore,
) -> None:
    folder = drop_in(store.folder / "known", weights())
    (folder / ".soundalike.json").write_text("{}")
    assert ids(store) == []
    folder.rename(store.folder / "renamed")
    assert ids(store) == ["renamed"]


def test_a_missing_model_of_the_catalog_names_the_command_that_gets_it(store: ModelStore) -> None:
    store.folder.mkdir()
    with pytest.raises(ModelMissingError) as raised:
        store.path("known")
    assert raised.value.remedy == f"soundalike pull known --models {store.folder}"
    assert str(store.folder) in raised.value.found
    assert "\n" not in str(raised.value)
    assert "soundalike pull known" in str(raised.value)


def test_foreign_files_under_a_name_of_the_catalog_are_moved_aside_by_the_remedy(
    tmp_path: Path,
) -> None:
    store = ModelStore(tmp_path / "with space", KNOWN)
    folder = store.folder / "known"
    folder.mkdir(parents=True)
    assert store.remedy("known") == f"soundalike pull known --models '{store.folder}'"
    (folder / "model.bin").write_bytes(b"mine, unfinished")
    with pytest.raises(ModelMissingError, match="not whole") as raised:
        store.path("known")
    pull = f"soundalike pull known --models '{store.folder}'"
    assert raised.value.remedy == f"mv '{folder}' '{folder}.old' && {pull}"


@pytest.mark.parametrize(
    ("there", "remedy"),
    [
        ((), "first get known: {pull}"),
        (("mine",), "choose what is there (mine), or first get known: {pull}"),
        (("known", "mine"), "choose what is there (known, mine)"),
    ],
)
def test_an_unknown_model_is_answered_with_what_there_is_and_what_there_can_be(
    store: ModelStore, there: tuple[str, ...], remedy: str
) -> None:
    store.folder.mkdir()
    for name in there:
        drop_in(store.folder / name, weights())
    with pytest.raises(ModelMissingError) as raised:
        store.path("nobodys")
    assert raised.value.found == f"no model is called 'nobodys' in {store.folder}"
    pull = f"soundalike pull known --models {store.folder}"
    assert raised.value.remedy == remedy.format(pull=pull)


def test_a_folder_dropped_in_that_is_not_whole_is_not_said_to_be_absent(store: ModelStore) -> None:
    folder = drop_in(store.folder / "mine", weights()[:-1])
    text = f"^{folder} is no whole model: model.bin is incomplete; "
    with pytest.raises(ModelMissingError, match=text):
        store.path("mine")


def test_folders_that_are_no_model_are_told_with_what_they_lack(store: ModelStore) -> None:
    drop_in(store.folder / "good", weights())
    drop_in(store.folder / "cut", weights()[:-1])
    drop_in(store.folder / "translator", weights("TransformerSpec"))
    (drop_in(store.folder / "blind", weights()) / "tokenizer.json").unlink()
    (store.folder / "known").mkdir()
    (store.folder / "known" / ".soundalike.json").write_text("{}")
    (store.folder / "known" / "model.bin").write_bytes(b"123")
    (store.folder / "empty").mkdir()
    (store.folder / ".partial-known").mkdir()
    (store.folder / "README.md").write_text("Models")
    assert {folder.id: folder.flaw for folder in store.unusable()} == {
        "blind": "no tokenizer.json",
        "cut": "model.bin is incomplete",
        "empty": "no model.bin, no config.json, no tokenizer.json, "
        "no vocabulary.json or vocabulary.txt",
        "known": "model.bin has 3 bytes instead of 4; config.json is missing",
        "translator": "model.bin is no Whisper of CTranslate2",
    }


@pytest.mark.parametrize("model_id", ["known", "nobodys"])
def test_a_chosen_folder_that_is_not_there_is_to_be_checked_before_anything_is_pulled(
    store: ModelStore, model_id: str
) -> None:
    with pytest.raises(NoFolderError) as raised:
        store.path(model_id)
    assert raised.value.found == f"there is no folder {store.folder}"
    pulled = "known" if model_id == "known" else "MODEL"
    assert raised.value.remedy == (
        "check --models, or SOUNDALIKE_MODELS; "
        f"or have it made: soundalike pull {pulled} --models {store.folder}"
    )


def test_a_store_that_is_no_folder_is_told_as_such(store: ModelStore) -> None:
    store.folder.write_text("a file")
    with pytest.raises(NoFolderError, match=f"^{store.folder} is not a folder; "):
        store.path("known")


def test_the_usual_folder_is_known_by_any_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soundalike.store.folder.default_folder", lambda: tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    store = ModelStore(Path("models"), KNOWN)
    assert not store.lacks_folder
    assert store.remedy("known") == "soundalike pull known"
    assert ModelStore(Path("typo"), KNOWN).lacks_folder


@pytest.mark.parametrize(
    "model_id", ["../outside", "mine/../../outside", "/", "", ".", "..", ".partial-x", "mine/"]
)
def test_an_id_never_leads_out_of_the_store(store: ModelStore, model_id: str) -> None:
    drop_in(store.folder / "mine", weights())
    drop_in(store.folder / ".partial-x", weights())
    drop_in(store.folder.parent / "outside", weights())
    with pytest.raises(ModelMissingError):
        store.path(model_id)
    with pytest.raises(ModelMissingError):
        store.path(str(store.folder.parent / "outside"))


def test_a_checkout_keeps_its_models_in_itself() -> None:
    checkout = Path(__file__).parents[2]
    installed_from = Path(default_folder.__code__.co_filename)
    if not installed_from.is_relative_to(checkout):
        pytest.skip("soundalike is not installed in editable mode from this checkout")
    assert default_folder() == checkout / "models"


def test_an_installation_keeps_its_models_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "lib" / "site-packages" / "soundalike" / "store"
    monkeypatch.setattr("soundalike.store.location.__file__", str(site / "location.py"))
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: tmp_path / name)
    assert default_folder() == tmp_path / "soundalike" / "models"
