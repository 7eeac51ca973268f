"""Imports point one way: cli -> app -> api -> runtime -> engines, audio -> errors."""

import ast
from pathlib import Path

import soundalike

ROOT = Path(soundalike.__file__).parent

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "observation": set(),
    "logs": {"observation"},
    "transcript": set(),
    "languages": set(),
    "formats": {"errors", "languages", "transcript"},
    "contracts": {"errors", "formats", "languages"},
    "audio": {"engines", "errors", "transcript"},
    "engines": {"audio", "errors", "languages", "transcript"},
    "store": set(),
    "probes": {"engines"},
    "doctor": {"probes", "store"},
    "keys": set(),
    "schemas": set(),
    "settings": {"keys", "store"},
    "runtime": {"audio", "engines", "errors", "logs", "observation", "transcript"},
    "telemetry": {"observation", "runtime"},
    "served": {"contracts", "engines", "runtime", "settings", "store"},
    "api": {
        *("contracts", "engines", "errors", "formats", "observation", "runtime", "served"),
        *("settings", "store", "telemetry", "transcript"),
    },
    "fixture": {
        *("api", "audio", "contracts", "engines", "errors", "formats", "languages", "runtime"),
        *("observation", "schemas", "settings", "transcript"),
    },
    "temporary": set(),
    "app": {
        *("api", "fixture", "runtime", "served", "settings", "store", "telemetry", "temporary"),
    },
    "serving": {"api", "fixture", "settings"},
    "cli": {
        *("app", "contracts", "doctor", "engines", "errors", "keys", "logs", "runtime", "schemas"),
        *("served", "serving", "settings", "store", "temporary"),
    },
    "__main__": {"cli"},
    "testing": {
        *("api", "app", "engines", "errors", "fixture", "runtime", "served", "serving", "settings"),
        *("store",),
    },
}
NATIVE = {
    *("av", "numpy", "ctranslate2", "faster_whisper", "onnx", "onnxruntime", "pyttsx3"),
    "py3langid",
}


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(node.module or "")
    return found


def modules() -> dict[str, set[str]]:
    return {
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts): imports(path)
        for path in sorted(ROOT.rglob("*.py"))
    }


def test_imports_point_one_way() -> None:
    for module, imported in modules().items():
        part = part_of(module)
        if part in ("soundalike", "__init__"):
            continue
        own = {part_of(name) for name in imported if name.startswith("soundalike.")}
        assert own - {part} <= ALLOWED[part], f"{module} imports {own - {part} - ALLOWED[part]}"


def test_native_libraries_are_imported_in_hosts_only() -> None:
    for module, imported in modules().items():
        if part_of(module) in ("audio", "engines"):
            continue
        native = NATIVE & {name.split(".")[0] for name in imported}
        assert not native or part_of(module) in ("probes", "doctor"), f"{module} imports {native}"


def test_the_api_process_loads_no_native_library(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from soundalike.app import create_app;"
        "from soundalike.settings import Settings;"
        "create_app(Settings(engine='stub'));"
        f"print(sorted({NATIVE!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"
