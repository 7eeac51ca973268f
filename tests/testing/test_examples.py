"""The examples, run as a reader runs them."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = CHECKOUT / "examples"
NODE_MODULES = CHECKOUT / "tests" / "sdk" / "node" / "node_modules"


def run(*command: str, cwd: Path = CHECKOUT, succeeds: bool = True, **variables: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    output = done.stdout + done.stderr
    assert (done.returncode == 0) is succeeds, output
    return output


def test_pytest_with_four_workers() -> None:
    pytest.importorskip("xdist")
    output = run(
        *(sys.executable, "-m", "pytest", "-n", "4", "-p", "no:schemathesis", "examples/pytest")
    )
    assert "4 workers" in output
    assert "failed" not in output


def test_the_test_of_the_documentation_is_one_of_them() -> None:
    documented = (CHECKOUT / "docs" / "testing.md").read_text()
    source = (EXAMPLES / "pytest" / "test_transcribing.py").read_text()
    tree = ast.parse(source)
    (retry,) = (
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == "test_retry"
    )
    assert (ast.get_source_segment(source, retry) or "no source") in documented


def test_unittest() -> None:
    output = run(sys.executable, "-m", "unittest", "discover", "-s", "examples/unittest")
    assert "Ran 2 tests" in output


@pytest.fixture
def node_example(tmp_path: Path) -> Path:
    """A copy of it with what it needs."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    assert (NODE_MODULES / "openai").is_dir(), "run `make test`, which installs it"
    for path in (EXAMPLES / "node").glob("*.*"):
        shutil.copy(path, tmp_path)
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    return tmp_path


def test_node(node_example: Path) -> None:
    output = run("node", "--test", cwd=node_example)
    assert "# pass 3" in output or "ℹ pass 3" in output, output


def test_node_says_what_it_lacks(node_example: Path) -> None:
    output = run(
        *("node", "--test"), cwd=node_example, succeeds=False, SOUNDALIKE_COMMAND="not-here"
    )
    assert "Error: cannot start not-here (ENOENT): pip install soundalike" in output
    assert "cancelled" not in output.replace("cancelled 0", "")


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.rglob("*.yml")), ids=lambda path: str(path.relative_to(EXAMPLES))
)
def test_the_flags_of_files_that_cannot_run_here_are_known(path: Path) -> None:
    """A workflow and a compose file are read at least, and what they tell soundalike is checked."""
    from soundalike.cli.serve import serve
    from soundalike.settings import Settings

    assert yaml.safe_load(path.read_text())
    known = {flag for option in serve.params for flag in option.opts}
    variables = {name.upper() for name in Settings.model_fields}
    text = path.read_text()
    for line in text.splitlines():
        _, serves, flags = line.partition("serve ")
        if serves and not line.lstrip().startswith("#"):
            assert {flag for flag in flags.split() if flag.startswith("--")} <= known
        name, colon, _ = line.strip().partition(":")
        if colon and name.startswith("SOUNDALIKE_") and name != "SOUNDALIKE_URL":
            assert name.removeprefix("SOUNDALIKE_") in variables


def test_every_example_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    for folder in EXAMPLES.iterdir():
        if folder.is_dir() and any(folder.glob("*.*")):
            assert f"]({folder.name})" in listed
