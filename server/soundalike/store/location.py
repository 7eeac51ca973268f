"""Where the models lie unless a setting says otherwise."""

from pathlib import Path


def default_folder() -> Path:
    """`models/` of the checkout that this code runs from, else `models` in the user's cache
    directory."""
    checkout = Path(__file__).resolve().parents[3]
    models = checkout / "models"
    if (checkout / "pyproject.toml").is_file() and (models / "README.md").is_file():
        return models
    from platformdirs import user_cache_path

    return user_cache_path("soundalike", appauthor=False) / "models"
