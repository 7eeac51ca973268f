"""OpenAI's models that do something else than the audio endpoints.

The ids are those that openai-python 3.54 and OpenAI's list of models name, without the dates of
snapshots. One that came later is taken for unknown.
"""

import re

_IDS = frozenset(
    """
    gpt-3.5-turbo gpt-3.5-turbo-16k gpt-3.5-turbo-instruct
    gpt-4 gpt-4-32k gpt-4-turbo gpt-4-turbo-preview gpt-4-vision-preview
    gpt-4-0125-preview gpt-4-1106-preview gpt-4-1106-vision-preview
    gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-4.5-preview
    gpt-4o gpt-4o-mini gpt-4o-audio-preview gpt-4o-mini-audio-preview
    gpt-4o-realtime-preview gpt-4o-mini-realtime-preview
    gpt-4o-search-preview gpt-4o-mini-search-preview chatgpt-4o-latest
    gpt-5 gpt-5-chat-latest gpt-5-codex gpt-5-mini gpt-5-nano gpt-5-pro gpt-5-search-api
    gpt-5.1 gpt-5.1-chat-latest gpt-5.1-codex gpt-5.1-codex-max gpt-5.1-codex-mini gpt-5.1-mini
    gpt-5.2 gpt-5.2-chat-latest gpt-5.2-codex gpt-5.2-pro gpt-5.3-chat-latest
    gpt-5.4 gpt-5.4-mini gpt-5.4-nano gpt-5.5 gpt-5.5-pro
    gpt-5.6-cyber gpt-5.6-luna gpt-5.6-sol gpt-5.6-terra
    gpt-6-astra gpt-6-cyber gpt-6-luna gpt-6-rosalind gpt-6-sol gpt-6.1-sol gpt-6.1-terra
    gpt-6.2-astra gpt-6.2-astra-law gpt-6.2-sol
    gpt-daybreak-blue-latest gpt-daybreak-red-latest gpt-rosalind-research
    gpt-oss-20b gpt-oss-120b
    gpt-audio gpt-audio-1.5 gpt-audio-mini
    gpt-realtime gpt-realtime-1.5 gpt-realtime-2 gpt-realtime-2.1 gpt-realtime-2.1-mini
    gpt-realtime-mini gpt-realtime-whisper gpt-live-1 gpt-live-transcribe
    gpt-image-1 gpt-image-1-mini gpt-image-1.5 gpt-image-2 gpt-image-2.5-flare
    gpt-image-2.5-sunburst gpt-image-2.6-flare gpt-image-2.6-sunburst chatgpt-image-latest
    o1 o1-mini o1-preview o1-pro o3 o3-deep-research o3-mini o3-pro o4-mini o4-mini-deep-research
    babbage-002 davinci-002 codex-mini-latest computer-use-preview
    dall-e-2 dall-e-3 sora-2 sora-2-pro
    omni-moderation-latest omni-moderation text-moderation-latest text-moderation-stable
    text-embedding-3-large text-embedding-3-small text-embedding-ada-002
    """.split()  # noqa: SIM905
)

_FINE_TUNED = re.compile(r"ft:([^:]+):.+")
_SNAPSHOT = re.compile(r"-(?:\d{4}-\d\d-\d\d|\d{4})$")


def is_served_elsewhere(model: str) -> bool:
    """Whether this is a model of OpenAI's, a snapshot of one or one tuned by a customer, for
    another endpoint than those of audio."""
    tuned = _FINE_TUNED.fullmatch(model)
    return _SNAPSHOT.sub("", tuned[1] if tuned else model) in _IDS
