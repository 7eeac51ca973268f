"""soundalike in a container of its own, for tests that must not depend on this machine's Python.

pip install pytest openai 'testcontainers>=4.13'; docker build -t soundalike PATH_OF_THE_CHECKOUT
"""

import json
import urllib.request
from collections.abc import Iterator

import openai
import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

PORT = 8000
TOKEN = "only-for-tests"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    container = (
        DockerContainer("soundalike")
        .with_command("serve --engine stub --allow-keyless")
        # Seen from within, the tests are strangers, so that the control plane asks for a token.
        .with_env("SOUNDALIKE_CONTROL_TOKEN", TOKEN)
        .with_exposed_ports(PORT)
        .waiting_for(HttpWaitStrategy(PORT, "/readyz").for_status_code(200))
    )
    with container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(PORT)
        yield f"http://{host}:{port}"


def control(scope: str, path: str, body: object) -> None:
    request = urllib.request.Request(
        f"{scope}/_soundalike/{path}",
        json.dumps(body).encode(),
        {"content-type": "application/json", "x-soundalike-token": TOKEN},
    )
    urllib.request.urlopen(request).close()


def test_a_busy_service_is_asked_again(server: str) -> None:
    scope = f"{server}/s/busy"
    control(scope, "faults", {"kind": "status", "status": 429, "retry_after_ms": 5, "times": 2})
    with openai.OpenAI(base_url=f"{scope}/v1", api_key="sk-test") as client:
        client.audio.speech.create(model="tts-1", voice="alloy", input="Hello.").read()
    control(scope, "verify", {"match": {"endpoint": "speech"}, "count": 3})
