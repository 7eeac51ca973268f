"""Clients that ask for everything at once, in cycles of work and rest."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx2
import psutil

from bench.client import KEY
from bench.soak import requests
from bench.soak.outcomes import Outcome
from bench.soak.requests import TIMEOUT, Judged, Question
from bench.soak.vitals import Vitals

CLIENTS = 6
CYCLES = 8
"""Of work and rest, so that each quarter of a run has two rests."""

REST = 0.3
"""The share of a cycle in which nothing is asked."""

SHORT = "The train to the coast leaves from platform nine."
LONG = f"{SHORT} She bought some bread, milk and apples at the market. " * 8
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
LONG_FILE = 8
"""How often the long recording repeats the short one."""

Act = Callable[[httpx2.Client, random.Random], Judged]


class Traffic:
    """What is asked of a server.

    Args:
        root: its URL.
        seed: of the order of requests and of the moments of kills.
    """

    def __init__(self, root: str, vitals: Vitals, seed: int) -> None:
        self._root = root
        self._vitals = vitals
        self._seed = seed
        self.outcomes: list[Outcome] = []
        self.kills: list[float] = []
        self.rests: list[tuple[float, float]] = []
        self.begun = 0
        self._counting = threading.Lock()
        with self._client() as client:
            self._questions, clip = _asked_alone(client)
        self._acts = self._all_acts(clip)

    def run(self, seconds: float) -> None:
        """Work and rest for so long, and until what was asked by then is answered."""
        for cycle in range(CYCLES):
            self._work(seconds / CYCLES * (1 - REST), cycle)
            self._settle()
            self._rest(seconds / CYCLES * REST)

    def _work(self, seconds: float, cycle: int) -> None:
        chance = random.Random(f"{self._seed} {cycle}")
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(CLIENTS + 1) as clients:
            working = [
                clients.submit(self._ask_on, random.Random(chance.random()), until)
                for _ in range(CLIENTS)
            ]
            clients.submit(self._kill, seconds / 2, chance).result()
            for client in working:
                client.result()

    def _ask_on(self, chance: random.Random, until: float) -> None:
        kinds = list(self._acts)
        with self._client() as client:
            while time.monotonic() < until:
                kind = chance.choice(kinds)
                self._ask(kind, self._acts[kind], client, chance)

    def _ask(self, kind: str, act: Act, client: httpx2.Client, chance: random.Random) -> None:
        with self._counting:
            self.begun += 1
        began = self._vitals.now
        verdict, note = requests.judged(lambda: act(client, chance))
        self.outcomes.append(Outcome(kind, began, self._vitals.now, verdict, note))

    def _kill(self, seconds: float, chance: random.Random) -> None:
        """End every host once, at moments of which it knows nothing. They are the same in each
        cycle but for chance, so that at each rest the hosts are about as old."""
        hosts = self._vitals.hosts()
        for host in hosts:
            time.sleep(chance.uniform(0, seconds / len(hosts)))
            self.kills.append(self._vitals.now)
            with suppress(psutil.NoSuchProcess):
                host.kill()

    def _settle(self) -> None:
        """Ask every question once, so that each host is open and has worked when it rests."""
        with self._client() as client:
            for question in self._questions:
                self._ask(question.kind, self._acts[question.kind], client, random.Random())

    def _rest(self, seconds: float) -> None:
        time.sleep(seconds / 2)
        began = self._vitals.now
        for _ in range(3):
            self._vitals.look()
            time.sleep(seconds / 6)
        self.rests.append((began, self._vitals.now))

    def _client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self._root, headers=KEY, timeout=TIMEOUT, trust_env=False)

    def _all_acts(self, clip: bytes) -> dict[str, Act]:
        bad = list(requests.hostile(clip).values())
        spoken = {"url": "/v1/audio/speech", "json": requests.speech("pcm", LONG)}
        events = requests.upload(
            requests.repeated(clip, LONG_FILE), model="gpt-4o-transcribe", stream="true"
        )
        acts: dict[str, Act] = {
            "hostile": lambda client, chance: requests.refused_rightly(client, chance.choice(bad)),
            "left in speech": lambda client, _: requests.left_in_an_answer(client, spoken),
            "left in events": lambda client, _: requests.left_in_an_answer(client, events),
            "left in an upload": lambda _, chance: requests.left_in_an_upload(
                self._root, clip, chance.uniform(0, 0.3)
            ),
        }
        for question, expected in self._questions.items():
            acts[question.kind] = _compared(question, expected)
        return acts


def _asked_alone(client: httpx2.Client) -> tuple[dict[Question, str], bytes]:
    """The questions with their answers, and a spoken clip."""
    with requests.answered(
        client, {"url": "/v1/audio/speech", "json": requests.speech("wav", SHORT)}
    ) as response:
        clip = response.read()
    clip = playable(clip)
    questions: Sequence[Question] = (
        *(requests.spoken(form, SHORT) for form in FORMATS),
        requests.spoken("mp3", LONG, "speech, long"),
        requests.spoken("pcm", LONG, "speech, slow reader", pause=0.005),
        requests.heard("transcription", clip),
        requests.heard_as_events(clip),
        requests.heard("transcription, long", requests.repeated(clip, LONG_FILE)),
    )
    return {question: question.answer(client) for question in questions}, clip


def playable(clip: bytes) -> bytes:
    """A streamed WAV file with the lengths of what it holds in its header."""
    size = len(clip) - 44
    return (
        clip[:4]
        + (size + 36).to_bytes(4, "little")
        + clip[8:40]
        + size.to_bytes(4, "little")
        + clip[44:]
    )


def _compared(question: Question, expected: str) -> Act:
    def act(client: httpx2.Client, _: random.Random) -> Judged:
        answer = question.answer(client)
        if answer == expected:
            return "right", ""
        return "wrong", f"{answer[:200]!r} instead of {expected[:200]!r}"

    return act
