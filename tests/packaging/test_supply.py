"""What is installed and how it is contained, as the files that say so have it."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

CHECKOUT = Path(__file__).parents[2]
MOST_DEPENDENCIES = 24

VULNERABLE = {
    "filelock": "3.20.2",  # CVE-2026-22701: a link in place of a lock
    "h11": "0.14",  # CVE-2025-43859: malformed chunks are taken
    "python-multipart": "0.0.30",  # CVE-2026-53540: a body that is held in memory
    "starlette": "1.0.0",  # CVE-2026-48710: a Host header that changes the path
}
"""The last release of each with a known fault that would matter here."""

WITH_OTHERS = {
    "anyio": "fastapi",
    "pydantic-core": "pydantic",
    "ctranslate2": "faster-whisper",
    "tokenizers": "faster-whisper",
}
"""What is imported and comes with a dependency, which bounds it."""

OF_EXTRAS = {"openai", "pytest", "psutil", "sudachipy", "xdist", "opentelemetry-sdk"}


@pytest.fixture(scope="module")
def project() -> Any:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def dependencies(project: Any) -> dict[str, Requirement]:
    requirements = map(Requirement, project["dependencies"])
    return {canonicalize_name(each.name): each for each in requirements}


@pytest.fixture(scope="module")
def service() -> Any:
    (service,) = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"].values()
    return service


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage of the image, in order, and what follows each."""
    text = re.sub(r"\\\n", " ", (CHECKOUT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: list[list[tuple[str, str]]] = []
    for line in lines:
        instruction, _, rest = line.strip().partition(" ")
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, rest))
    return found


def test_dependencies_are_few_and_bounded_on_both_sides(
    project: Any, dependencies: dict[str, Requirement]
) -> None:
    assert len(dependencies) <= MOST_DEPENDENCIES
    extras = project["optional-dependencies"]
    shipped = [text for name in extras if name not in ("bench", "dev") for text in extras[name]]
    for requirement in (*dependencies.values(), *map(Requirement, shipped)):
        operators = {specifier.operator for specifier in requirement.specifier}
        dated = any(int(Version(s.version).release[0]) > 2000 for s in requirement.specifier)
        assert operators in ({">=", "<"}, {"=="}) or (dated and operators == {">="}), requirement


@pytest.mark.parametrize("name", VULNERABLE)
def test_no_release_with_a_known_fault_is_admitted(
    name: str, dependencies: dict[str, Requirement]
) -> None:
    assert VULNERABLE[name] not in dependencies[name].specifier


def test_what_is_imported_is_declared_and_the_other_way_round(
    dependencies: dict[str, Requirement],
) -> None:
    distributions = packages_distributions()
    imported: set[str] = set()
    for path in (CHECKOUT / "server").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
            imported |= {module.split(".")[0] for module in modules}
    imported -= {"soundalike", *sys.stdlib_module_names}
    owners = {
        canonicalize_name(name) for module in imported for name in distributions.get(module, ())
    }
    declared = set(dependencies)
    unknown = owners - declared - set(WITH_OTHERS) - OF_EXTRAS
    assert not {name for name in unknown if not name.startswith("opentelemetry")}
    assert set(WITH_OTHERS.values()) <= declared
    unused = declared - owners
    assert unused == set(), unused


def test_the_container_can_change_nothing_but_its_models(service: Any) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert [volume.split(":")[1] for volume in service["volumes"]] == ["/models"]
    (temporary,) = service["tmpfs"]
    assert temporary.startswith("/tmp:size=")
    assert {"noexec", "nosuid", "nodev"} <= set(temporary.split(","))


def test_the_container_has_limits_keys_and_one_way_in(service: Any) -> None:
    assert service["mem_limit"]
    assert 0 < service["pids_limit"] <= 1024
    assert service["healthcheck"]["test"][:2] == ["CMD", "python"]
    assert "/readyz" in service["healthcheck"]["test"][-1]
    assert not service["user"].startswith(("0", "root"))
    assert service["ports"] == ["127.0.0.1:${PORT:-8000}:8000"]
    assert ":?" in service["environment"]["SOUNDALIKE_API_KEYS"]  # none is an error


def test_the_image_is_pinned_and_holds_nothing_to_build_with(
    stages: list[list[tuple[str, str]]],
) -> None:
    assert len(stages) == 2
    for stage in stages:
        assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+( AS build)?", stage[0][1])
    build, final = stages
    assert any("bin/pip uninstall --yes pip" in rest for _, rest in build)
    runs = " ".join(rest for instruction, rest in final if instruction == "RUN")
    assert "pip uninstall" in runs
    assert not re.search(r"apt|curl|wget|pip install|gcc", runs)
    assert all("--from=build" in rest for kind, rest in final if kind in ("COPY", "ADD"))


def test_the_image_runs_as_nobody_special_and_tells_its_health(
    stages: list[list[tuple[str, str]]],
) -> None:
    final = stages[-1]
    instructions = [instruction for instruction, _ in final]
    (user,) = [rest for instruction, rest in final if instruction == "USER"]
    assert user == "soundalike"
    assert instructions.index("USER") < instructions.index("ENTRYPOINT")
    assert "HEALTHCHECK" in instructions
    said = " ".join(rest for _, rest in final)
    assert not re.search(r"(KEY|TOKEN|SECRET|PASSWORD)\w*=", said)
    assert "ALLOW_KEYLESS" not in said


def test_orphans_are_buried_in_the_container(stages: list[list[tuple[str, str]]]) -> None:
    """The first process of a container is the parent of all that have lost theirs."""
    (entry,) = [rest for instruction, rest in stages[-1] if instruction == "ENTRYPOINT"]
    assert entry == '["tini", "--", "soundalike"]'
    assert ("COPY", "--from=build /usr/bin/tini /usr/bin/tini") in stages[-1]
