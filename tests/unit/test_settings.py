"""Settings: declared once, read from flags and variables, documented."""

import re
import socket
from importlib.metadata import distribution
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from soundalike.cli import main
from soundalike.cli.options import FLAGGED, flag, read_settings, strays
from soundalike.cli.serve import _check, _listen
from soundalike.engines.registry import GROUPS
from soundalike.schemas import taken
from soundalike.settings import ENV_PREFIX, SECRETS, Settings, is_loopback

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{ENV_PREFIX}{name.upper()}", raising=False)


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read_settings().port == 8000
    monkeypatch.setenv("SOUNDALIKE_PORT", "9000")
    assert read_settings(port=None).port == 9000
    assert read_settings(port="9001").port == 9001


@pytest.mark.parametrize(("text", "value"), [("false", False), ("0", False), ("true", True)])
def test_false_is_false(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("SOUNDALIKE_OFFLINE", text)
    assert Settings().offline is value


def test_keys_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDALIKE_API_KEYS", "sk-a, sk-b,,")
    assert Settings().api_keys == ("sk-a", "sk-b")
    assert read_settings(api_keys=("sk-a,sk-b", "sk-c")).api_keys == ("sk-a", "sk-b", "sk-c")


def test_a_variable_for_keys_that_holds_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who set it wanted keys; a server without any lets everybody in."""
    monkeypatch.setenv("SOUNDALIKE_API_KEYS", ", ,")
    refused = CliRunner().invoke(main, ["serve"])
    assert refused.exit_code == 2
    assert "SOUNDALIKE_API_KEYS: holds no key" in refused.output
    monkeypatch.setenv("SOUNDALIKE_API_KEYS", "")
    assert Settings(api_keys=()).api_keys == Settings().api_keys == ()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.com"])
def test_without_keys_only_loopback_is_listened_on(host: str) -> None:
    with pytest.raises(click.UsageError, match="refusing to listen"):
        _check(Settings(host=host))
    _check(Settings(host=host, api_keys=("sk-a",)))
    _check(Settings(host=host, allow_keyless=True))


def test_commands_that_do_not_listen_need_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDALIKE_HOST", "0.0.0.0")
    assert CliRunner().invoke(main, ["models"]).exit_code == 0
    assert CliRunner().invoke(main, ["pull"]).exit_code == 0
    refused = CliRunner().invoke(main, ["serve"])
    assert refused.exit_code == 2
    assert "refusing to listen" in refused.output


def test_an_unknown_engine_is_one_clear_line() -> None:
    result = CliRunner().invoke(main, ["serve", "--engine", "nope"])
    assert result.exit_code == 2
    assert "no speech engine is called 'nope'; installed: pyttsx3, stub" in result.output


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)
    _check(Settings(host=host))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("port", "99999", "takes a whole number from 0 to 65535, not '99999'"),
        ("port", "abc", "takes a whole number from 0 to 65535, not 'abc'"),
        ("offline", "maybe", "takes true or false, not 'maybe'"),
        ("grace", "-1", "takes a number of at least 0, not '-1'"),
        ("device", "gpu", "takes 'auto', 'cpu' or 'cuda', not 'gpu'"),
        ("cors_origins", "foo", "takes origins such as https://app.example, not 'foo'"),
    ],
)
def test_a_bad_value_is_one_clear_line(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{ENV_PREFIX}{name.upper()}", value)
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 2
    told = f"Error: {flag(name)} (or {ENV_PREFIX}{name.upper()}) {said}"
    assert result.output.splitlines()[-1] == told


def test_a_number_type_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    result = CliRunner().invoke(main, ["serve", "--compute-type", "int3"])
    assert result.exit_code == 2
    told = result.output.splitlines()[-1]
    assert told.startswith("Error: Invalid value for '--compute-type': 'int3' is not one of ")
    assert "'int8_float32'" in told


@pytest.mark.parametrize("command", [["serve", "--engine", "nope"], ["models"]])
def test_a_variable_that_is_no_setting_is_told_of(
    command: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SOUNDALIKE_LOGLEVEL", "debug")
    monkeypatch.setattr("soundalike.cli.serve._check", lambda _: None)
    monkeypatch.setattr("soundalike.cli.serve.log_to_stderr", lambda *_, **__: None)
    monkeypatch.setattr("soundalike.cli.serve.pull_missing", _stop)
    result = CliRunner().invoke(main, command)
    told = result.stderr + caplog.text
    assert told.count("SOUNDALIKE_LOGLEVEL is no setting; did you mean SOUNDALIKE_LOG_LEVEL?") == 1


def _stop(_: Settings) -> None:
    raise click.ClickException("enough")


def test_variables_of_others_are_none_of_ours() -> None:
    environment = {
        "SOUNDALIKE_URL": "for the examples",
        "SOUNDALIKE_UID": "for docker compose",
        "SOUNDALIKE_PORT_8000_TCP": "from Kubernetes",
        "soundalike_port": "in small letters",
        "SOUNDALIKES": "another name",
        "SOUNDALIKE_STUB_FOLDER": "for an engine",
    }
    assert not list(strays(environment))
    assert list(strays({"SOUNDALIKE_X_Y_Z": ""})) == ["SOUNDALIKE_X_Y_Z is no setting."]


def test_small_answers_are_not_held_back() -> None:
    with _listen(Settings(port=0)) as listening:
        listening.listen()
        with socket.create_connection(listening.getsockname()):
            connection, _ = listening.accept()
            with connection:
                assert connection.proto == socket.IPPROTO_TCP  # what asyncio asks for first


def test_every_setting_but_the_secret_ones_is_a_flag_of_serve() -> None:
    text = CliRunner().invoke(main, ["serve", "--help"]).output
    for name in FLAGGED:
        assert flag(name) in text
    assert set(FLAGGED) | SECRETS == set(Settings.model_fields)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_secrets_are_not_taken_where_other_users_can_read_them(name: str) -> None:
    """As the arguments of a process can be."""
    refused = CliRunner().invoke(main, ["serve", flag(name), "sk-canary"])
    assert refused.exit_code == 2
    assert "No such option" in refused.output
    assert "canary" not in refused.output
    assert f"Set {ENV_PREFIX}{name.upper()}" in " ".join(refused.output.split())
    assert f"{ENV_PREFIX}{name.upper()}" in CliRunner().invoke(main, ["serve", "--help"]).output


def test_a_bad_key_is_not_told_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDALIKE_API_KEYS", "sk-canary key")
    refused = CliRunner().invoke(main, ["serve"])
    assert refused.exit_code == 2
    assert "canary" not in refused.output


def test_every_setting_is_documented_with_its_default() -> None:
    page = (DOCS / "configuration.md").read_text()
    found = re.findall(r"^\| (?:`--([a-z-]+)`|none) \| `SOUNDALIKE_([A-Z_]+)` (\|.*)$", page, re.M)
    schemas = Settings.model_json_schema()["properties"]
    rows = {variable.lower(): (option, rest) for option, variable, rest in found}
    assert set(rows) == set(Settings.model_fields)
    for name, info in Settings.model_fields.items():
        option, row = rows[name]
        assert option == (name.replace("_", "-") if name in FLAGGED else "")
        assert str(info.description) in row
        assert f"| {taken(schemas[name])} |".replace("'", "`") in row
        if name != "models" and not isinstance(info.default, bool) and info.default:
            assert f"| `{info.default}` |" in row, row


def test_engines_that_come_with_it_are_in_the_help() -> None:
    own = distribution("soundalike").entry_points
    for kind, group in GROUPS.items():
        told = str(Settings.model_fields[f"{kind}_engine"].description)
        assert set(re.findall("`(.*?)`", told)) == own.select(group=group).names
