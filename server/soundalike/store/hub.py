"""Files of a model from the Hugging Face Hub, or from the mirror that `HF_ENDPOINT` names.

`hf_hub_download` is not used: huggingface_hub 2 downloads to a name of its own and deletes that on
a failure, so a broken transfer would start again at zero. The library's session, addresses and
token are used, and with them the user's proxies, certificates and offline switch.
"""

from collections.abc import Iterator
from http import HTTPStatus

from soundalike import __version__
from soundalike.store.catalog import HubSource, ModelFile
from soundalike.store.errors import SourceError


def read_hub(source: HubSource, file: ModelFile, offset: int) -> Iterator[bytes]:
    """The bytes of `file` from `offset` on, as they arrive.

    Raises:
        SourceError: the Hub cannot be reached, refuses, or breaks off.
    """
    # The library is slow to import, and a store that is complete never needs it.
    from huggingface_hub import constants, get_session, get_token, hf_hub_url

    url = hf_hub_url(source.repository, file.path, revision=source.revision)
    headers = {"User-Agent": f"soundalike/{__version__}", "Accept-Encoding": "identity"}
    if token := get_token():  # public weights need none, a private mirror may
        headers["Authorization"] = f"Bearer {token}"
    if offset:
        headers["Range"] = f"bytes={offset}-"
    try:
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
            if response.status_code == HTTPStatus.OK:
                skip = offset  # a server may ignore the range and send everything
            elif response.status_code == HTTPStatus.PARTIAL_CONTENT:
                skip = 0
            else:
                raise SourceError(f"{url} answered with HTTP {response.status_code}")
            for chunk in response.iter_bytes():
                if rest := chunk[skip:]:
                    yield rest
                skip = max(0, skip - len(chunk))
    except SourceError:
        raise
    except Exception as error:
        # Which HTTP client is underneath, and so what it raises, differs between releases.
        reason = " ".join(str(error).split()) or "no reason given"
        raise SourceError(f"{url}: {type(error).__name__}: {reason}") from error
