"""Which requests are let in: by the pages that send them, the names they were sent to, and keys."""

from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from click.testing import CliRunner

from soundalike.api.access import is_known_host
from soundalike.cli import main
from soundalike.settings import Settings

FOREIGN = ("https://evil.example", "http://evil.example:8000", "null", "http://testserver:1", "[")
SPEECH = {"model": "tts-1", "voice": "alloy", "input": "Hello."}


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_is_refused_whatever_it_sends(open_api: Any, origin: str) -> None:
    api = open_api(fixture="on")
    headers = {"origin": origin}
    form = {"files": {"file": ("a.wav", b"RIFF", "audio/wav")}, "data": {"model": "whisper-1"}}
    refused = [
        api.post("/v1/audio/transcriptions", headers=headers, **form),
        api.post("/v1/audio/speech", headers=headers, json=SPEECH),
        api.post("/s/one/v1/audio/speech", headers=headers, json=SPEECH),
        api.post("/_soundalike/reset", headers=headers, content=b"{}"),
        api.options("/v1/models", headers=headers | {"access-control-request-method": "POST"}),
        api.get("/healthz", headers=headers),
        api.get("/nowhere", headers=headers),
    ]
    for answer in refused:
        assert answer.status_code == 403, answer.url
        assert answer.json()["error"]["message"].startswith("Pages of this origin may not use the")
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"].startswith("req_")
    requests = api.get("/_soundalike/requests").json()
    assert requests["requests"] == []


def test_the_servers_own_pages_and_what_is_no_page_are_let_in(open_api: Any) -> None:
    api = open_api()
    assert api.post("/v1/audio/speech", json=SPEECH).status_code == 200
    own = api.post("/v1/audio/speech", json=SPEECH, headers={"origin": "http://testserver"})
    assert own.status_code == 200


def test_pages_of_allowed_origins_may_read_answers_and_errors(open_api: Any) -> None:
    api = open_api(cors_origins="https://app.example, http://localhost:3000", api_keys="sk-test")
    page = {"origin": "https://app.example"}
    wrong = page | {"authorization": "Bearer sk-wrong"}
    answers = [
        (200, api.post("/v1/audio/speech", json=SPEECH, headers=page)),
        (400, api.post("/v1/audio/speech", json={}, headers=page)),
        (401, api.post("/v1/audio/speech", json=SPEECH, headers=wrong)),
        (404, api.get("/v1/nowhere", headers=page)),
        (405, api.put("/v1/models", headers=page)),
    ]
    for status, answer in answers:
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"x-request-id", "retry-after", "openai-processing-ms"} <= set(exposed)
        assert "origin" in answer.headers["vary"].lower()
    assert api.get("/healthz", headers={"origin": "https://other.example"}).status_code == 403


@pytest.mark.parametrize("origin", ["https://app.example/", "app.example", "https://", "//a"])
def test_what_no_browser_sends_as_an_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match="takes origins"):
        Settings(cors_origins=("*", origin))


def test_an_unforeseen_error_is_readable_by_allowed_pages_too(
    open_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = open_api(cors_origins="https://app.example", fixture="off")
    monkeypatch.setattr(api.app.state.service.runtime, "speak", None)
    answer = api.post("/v1/audio/speech", json=SPEECH, headers={"origin": "https://app.example"})
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_preflight_of_an_allowed_page_needs_no_key(open_api: Any) -> None:
    api = open_api(cors_origins="*", api_keys="sk-one")
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-stainless-lang",
        "access-control-request-private-network": "true",
        "authorization": "",
    }
    answer = api.options("/v1/audio/speech", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-stainless-lang" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-private-network"] == "true"
    assert "access-control-allow-credentials" not in answer.headers
    put = api.options("/v1/models", headers=asked | {"access-control-request-method": "PUT"})
    assert put.status_code == 400


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example"])
def test_a_name_that_a_stranger_may_own_is_refused(open_api: Any, host: str) -> None:
    api = open_api(fixture="on")
    for path in ("/v1/models", "/healthz", "/openapi.json", "/_soundalike/requests", "/metrics"):
        # A rebound name is the page's own, so that its origin gives nothing away.
        answer = api.get(path, headers={"host": host, "origin": f"http://{host}"})
        assert answer.status_code == 403, path
        assert answer.json()["error"]["message"].startswith("The server is not known by the name")


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "api.localhost:8000", "127.0.0.1:8000", "[::1]:8000", "::1"],
)
def test_loopback_names_are_known(host: str) -> None:
    assert is_known_host(host, set()) is (host != "::1")  # an address of that kind has brackets


@pytest.mark.parametrize("host", ["soundalike:8000", "192.168.1.5:8000", "audio.example."])
def test_addresses_names_of_the_local_network_and_configured_ones_are_known(host: str) -> None:
    assert is_known_host(host, {"audio.example"})


@pytest.mark.parametrize("host", ["evil.example", "", ":8000", "[::1", "a.b@evil.example", "."])
def test_other_names_are_not_known(host: str) -> None:
    assert not is_known_host(host, {"audio.example"})


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"api_keys": "sk-test"}, 403),
        ({"api_keys": "sk-test", "allowed_hosts": "audio.example"}, 200),
        ({"api_keys": "sk-test", "allowed_hosts": "other.example"}, 403),
        ({"allowed_hosts": "*"}, 200),
        ({"host": "0.0.0.0", "api_keys": "sk-test"}, 200),
        ({"host": "0.0.0.0", "api_keys": "sk-test", "allowed_hosts": "other.example"}, 403),
        ({"host": "0.0.0.0", "allow_keyless": True}, 403),
        ({"host": "audio.example", "allow_keyless": True}, 200),
    ],
)
def test_names_matter_where_a_strangers_would_do_harm(
    open_api: Any, settings: dict[str, Any], status: int
) -> None:
    api = open_api(**settings)
    assert api.get("/v1/models", headers={"host": "Audio.example:443"}).status_code == status


@pytest.mark.parametrize(
    ("settings", "status"),
    [({}, 200), ({"api_keys": "sk-one"}, 401), ({"host": "0.0.0.0", "allow_keyless": True}, 401)],
)
@pytest.mark.parametrize("path", ["/openapi.json", "/metrics"])
def test_what_describes_the_server_is_closed_to_strangers(
    open_api: Any, settings: dict[str, Any], status: int, path: str
) -> None:
    api = open_api(**settings)
    assert api.get(path, headers={"authorization": ""}).status_code == status
    assert api.get(path, headers={"authorization": "Bearer sk-one"}).status_code == 200
    assert api.get("/docs").status_code == api.get("/redoc").status_code == 404


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({"host": "0.0.0.0", "api_keys": "sk-test"}, {}, 403),
        ({"host": "0.0.0.0", "api_keys": "sk-test", "control_token": "open"}, {}, 401),
        ({"control_token": "open"}, {"x-soundalike-token": "opens"}, 401),
        ({"control_token": "open"}, {"x-soundalike-token": "open"}, 200),
        ({"fixture": "off"}, {}, 404),
    ],
)
@pytest.mark.parametrize("scope", ["", "/s/one"])
def test_the_control_plane_is_closed_to_strangers(
    open_api: Any, settings: dict[str, Any], headers: dict[str, str], status: int, scope: str
) -> None:
    answer = open_api(**settings).get(f"{scope}/_soundalike/requests", headers=headers)
    assert answer.status_code == status


def test_keys_come_from_a_file_too(open_api: Any, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# of the nightly job\nsk-file-one\n\n  sk-file-two\r\n")
    api = open_api(api_keys="sk-flag", api_keys_file=file)
    for key in ("sk-flag", "sk-file-one", "sk-file-two"):
        assert api.get("/v1/models", headers={"authorization": f"Bearer {key}"}).status_code == 200
    for key in ("# of the nightly job", "sk-file", "of"):
        assert api.get("/v1/models", headers={"authorization": f"Bearer {key}"}).status_code == 401


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no key"),
        (b"# sk-note\n \n", "holds no key"),
        (b"sk-secret one\n", "API key 1 cannot be sent in a header"),
        ("sk-secret\nsk-sécret\n".encode(), "API key 2 cannot be sent in a header"),
        (b"sk-secret\xff", "no text in UTF-8"),
        (None, "No such file"),
    ],
)
def test_a_file_without_good_keys_opens_nothing(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        Settings(api_keys_file=file)
    printed = CliRunner().invoke(main, ["serve", "--api-keys-file", str(file)])
    assert printed.exit_code == 2
    assert said in printed.output
    assert "sk-s" not in printed.output


@pytest.mark.parametrize("key", ["sk-ключ", "sk one"])
def test_a_key_that_no_header_can_carry_is_refused_at_the_start(key: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent in a header"):
        Settings(api_keys=(key,))


@pytest.mark.parametrize(
    "key", ["sk-test\xff", "sk-tést", "sk-test" * 5000, "sk-tes", "sk-testt", "\xe9"]
)
def test_keys_of_any_length_and_letters_are_compared(open_api: Any, key: str) -> None:
    api = open_api(api_keys="sk-test")
    header = {"authorization": f"Bearer {key}".encode("latin-1")}
    assert api.get("/v1/models", headers=header).status_code == 401


def test_no_key_is_logged_or_written(serve: Any, tmp_path: Path) -> None:
    """Good ones, bad ones, ones in places where none belongs: nothing that the server prints or
    leaves on disk holds one."""
    file = tmp_path / "keys"
    file.write_text("sk-canary-from-a-file\n")
    file.chmod(0o644)
    good, bad = "sk-canary-from-the-variable", "sk-canary-that-nobody-knows"
    store, temporary = tmp_path / "store", tmp_path / "tmp"
    store.mkdir()
    temporary.mkdir()
    flags = ("--engine", "stub", "--log-level", "debug", "--log-content", "--fixture", "on")
    keys = {"SOUNDALIKE_API_KEYS": good, "SOUNDALIKE_CONTROL_TOKEN": "canary-token"}
    with serve(
        *flags, "--models", str(store), "--api-keys-file", str(file), TMPDIR=str(temporary), **keys
    ) as server:
        with httpx2.Client(base_url=server.root, trust_env=False) as client:
            for key in (good, "sk-canary-from-a-file", bad):
                header = {"authorization": f"Bearer {key}"}
                expected = 401 if key == bad else 200
                spoken = client.post("/v1/audio/speech", json=SPEECH, headers=header)
                assert spoken.status_code == expected
                assert client.get(f"/v1/models?api_key={key}", headers=header).status_code in (
                    expected,
                    404,
                )
                client.post("/v1/audio/transcriptions", content=b"no form", headers=header)
                client.get("/openapi.json", headers=header)
            control = client.get("/_soundalike/requests", headers={"x-soundalike-token": "canary-"})
            assert control.status_code == 401
        children = [Path(f"/proc/{pid}/environ") for pid in descendants(server.process.pid)]
        environments = b"".join(path.read_bytes() for path in children if path.exists())
        left = b"".join(path.read_bytes() for path in temporary.rglob("*") if path.is_file())
    printed = "".join(server.output)
    assert "POST /v1/audio/speech" in printed
    assert "can be read by other users: chmod 600 it" in printed
    assert "canary" not in printed
    assert b"canary" not in left
    assert b"canary" not in environments
    assert [
        path for path in store.rglob("*") if path.is_file() and b"canary" in path.read_bytes()
    ] == []


def descendants(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def test_every_kind_of_answer_forbids_guessing_its_type(
    open_api: Any, second_of_silence: bytes
) -> None:
    api = open_api(fixture="on")
    form = {"files": {"file": ("a.wav", second_of_silence, "audio/wav")}}
    large = {"files": {"file": ("a.wav", bytes(26 * 2**20), "audio/wav")}}
    stream = {"model": "gpt-4o-transcribe", "stream": "true"}
    answers = {
        "speech": (200, api.post("/v1/audio/speech", json=SPEECH)),
        "events": (200, api.post("/v1/audio/transcriptions", data=stream, **form)),
        "text": (200, api.post("/v1/audio/transcriptions", data={"model": "whisper-1"}, **form)),
        "health": (200, api.get("/healthz")),
        "readiness": (None, api.get("/readyz")),
        "metrics": (200, api.get("/metrics")),
        "document": (200, api.get("/openapi.json")),
        "control": (200, api.get("/_soundalike/requests")),
        "no key": (401, api.get("/v1/models", headers={"authorization": ""})),
        "no route": (404, api.get("/<script>")),
        "no method": (405, api.put("/v1/models")),
        "too large": (
            413,
            api.post("/v1/audio/transcriptions", data={"model": "whisper-1"}, **large),
        ),
        "no form": (400, api.post("/v1/audio/transcriptions", content=b"<html>")),
        "no scope": (400, api.get("/s/%3Cb%3E/v1/models")),
    }
    for name, (status, answer) in answers.items():
        assert status in (None, answer.status_code), name
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"], name
