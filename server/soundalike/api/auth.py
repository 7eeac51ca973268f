"""Who may ask: a bearer token, or HTTP Basic with the key as its password."""

import base64
import binascii
import hashlib
import secrets

from starlette.requests import Request

from soundalike.errors import AuthenticationError, shown
from soundalike.settings import Settings, is_loopback

NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank "
    "username) if you're accessing the API from your browser and are prompted for a username and "
    "password. You can obtain an API key from https://platform.openai.com/account/api-keys."
)


async def authenticate(request: Request) -> None:
    """Refuse a request without a good key, before its body is read.

    Raises:
        AuthenticationError: no key was sent, or one that is not among the server's keys. Where
            the server has none, every key is good.
    """
    key = _sent_key(request.headers.get("authorization", ""))
    if not key:
        raise AuthenticationError(NO_KEY)
    keys: tuple[str, ...] = request.app.state.service.settings.api_keys
    # Every key is compared, so that the time taken tells nothing of which one came close; and by
    # digests, so that it tells nothing of their lengths.
    sent = _digest(key)
    good = [secrets.compare_digest(sent, _digest(known)) for known in keys]
    if keys and not any(good):
        raise AuthenticationError(
            f"Incorrect API key provided: {shown(masked(key))}. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            code="invalid_api_key",
        )
    request.state.key = key


async def authenticate_strangers(request: Request) -> None:
    """Let the machine's own users pass without a key where the server has none. Whoever set keys
    means them, also for what listens on loopback behind a proxy.

    Raises:
        AuthenticationError: as `authenticate`.
    """
    settings: Settings = request.app.state.service.settings
    if settings.api_keys or not is_loopback(settings.host):
        await authenticate(request)


def masked(key: str) -> str:
    """A key as an error may show it: its first 8 and last 4 characters; a short one whole."""
    return key if len(key) <= SHORT else f"{key[:8]}{'*' * (len(key) - 12)}{key[-4:]}"


SHORT = 12
"""Characters up to which a key is echoed unmasked; eleven were seen to be."""


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _sent_key(header: str) -> str | None:
    scheme, _, credentials = header.partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "bearer":
        return credentials
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None
