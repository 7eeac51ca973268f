"""Files made to harm, sent to a server as a user starts it: each is refused, nobody else waits."""

import http.client
import http.server
import io
import json
import struct
import threading
import uuid
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import av
import numpy as np
import psutil
import pytest

MODELS = ("whisper-1", "gpt-4o-transcribe")


def wav_header(
    *, channels: int = 1, rate: int = 16_000, bits: int = 16, size: int = 2**31
) -> bytes:
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * frame % 2**32, frame % 2**16, bits)
    sizes = struct.pack("<I", size)
    return b"RIFF" + sizes + b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + sizes


def encoded(container: str, codec: str, rate: int, sound: Any, **options: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono", options=options)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.pts = rate, 0
        output.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


def silence(samples: int) -> Any:
    return np.zeros(samples, np.int16)


def ten_hours_of_silence() -> bytes:
    """In ADTS: one frame of 1024 samples at 8 kHz, over and over."""
    data = encoded("adts", "aac", 8000, silence(8192))
    frames = []
    while data:
        size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
        frames.append(data[:size])
        data = data[size:]
    return frames[4] * (10 * 3600 * 8000 // 1024)


def many_channels() -> bytes:
    """64 of them, each as much work as a recording of its own."""
    channels, rate = 64, 48_000
    file = io.BytesIO()
    options = {"mapping_family": "255", "b": str(channels * 6000)}
    with av.open(file, "w", format="matroska") as output:
        layout = f"{channels} channels"
        stream = output.add_stream("libopus", rate=rate, layout=layout, options=options)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(silence(channels * rate).reshape(1, -1), "s16", layout)
        frame.sample_rate, frame.pts = rate, 0
        output.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


def hours_in_few_bytes(hours: float) -> bytes:
    """In FLAC: 2.5 bytes a second."""
    return encoded("flac", "flac", 1000, silence(int(hours * 3.6e6)), frame_size="65535")


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + kind + body


def boundless_mp4() -> bytes:
    """An index that claims two thousand million samples, of which none is there."""
    data = encoded("mp4", "aac", 48_000, silence(48_000))
    place = data.index(b"stsz")
    return data[: place + 8] + struct.pack(">II", 0, 2**31 - 1) + data[place + 16 :]


def film() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        picture = output.add_stream("mpeg4", rate=10)
        picture.width, picture.height = 64, 64
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        output.mux([*picture.encode(frame), *picture.encode(None)])
    return file.getvalue()


def playlists(target: str) -> dict[str, bytes]:
    """What sends FFmpeg to another file or address, if it is read for what it is."""
    dash = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="audio/mp4">'
        f'<Representation id="a" bandwidth="1"><BaseURL>{target}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    )
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n".encode(),
        "concat": f"ffconcat version 1.0\nfile '{target}'\n".encode(),
        "dash": dash.encode(),
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
        b"m=audio 5004 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n",
        "pls": f"[playlist]\nFile1={target}\nNumberOfEntries=1\n".encode(),
        "smil": f'<smil><body><audio src="{target}"/></body></smil>'.encode(),
        "reference movie": box(
            b"moov",
            box(b"rmra", box(b"rmda", box(b"rdrf", bytes(4), b"url ", struct.pack(">I", 99)))),
            target.encode(),
        ),
        "svg": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}"/></svg>'.encode(),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "image pattern": f"{target}/%03d.png".encode(),
    }


HOSTILE: dict[str, Any] = {
    "zero length": lambda: b"",
    "one byte": lambda: b"R",
    "html": lambda: b"<!doctype html><h1>502 Bad Gateway</h1>",
    "truncated wav": lambda: wav_header()[:30],
    "wav header alone": wav_header,
    "truncated mp4": lambda: encoded("mp4", "aac", 48_000, silence(48_000))[:900],
    "truncated flac": lambda: encoded("flac", "flac", 48_000, silence(4800))[:42],
    "zeros": lambda: bytes(2**20),
    "endless id3 header": lambda: b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(2**20),
    "endless ogg header": lambda: b"OggS" * 2**18,
    "endless riff chunks": lambda: b"RIFF\xff\xff\xff\xffWAVE" + b"JUNK\x00\x00\x00\x00" * 2**17,
    "endless boxes": lambda: box(b"moov", box(b"trak") * 2**17),
    "nested boxes": lambda: b"".join(
        struct.pack(">I", 2**20 - 8 * depth) + b"moov" for depth in range(2**16)
    ),
    "boundless mp4": boundless_mp4,
    "film without sound": film,
    "rate zero": lambda: wav_header(rate=0) + bytes(10_000),
    "rate of four gigahertz": lambda: wav_header(rate=2**32 - 1) + bytes(10_000),
    "a thousand channels": lambda: wav_header(channels=1000) + bytes(100_000),
    "65535 channels of 64 bits": lambda: wav_header(channels=65_535, bits=64) + bytes(10**6),
    "ten hours of silence": ten_hours_of_silence,
    "bomb of a slow rate": lambda: wav_header(rate=1, bits=8) + bytes(30_000),
    "bomb of few frames": lambda: encoded("flac", "flac", 4, silence(65_535), frame_size="65535"),
    "bomb of many hours": lambda: encoded("flac", "flac", 9, silence(2**20), frame_size="65535"),
    "an hour in nine kilobytes": lambda: hours_in_few_bytes(1.0),
    "six hours in thirteen kilobytes": lambda: hours_in_few_bytes(5.9),
    "64 channels": many_channels,
}


def transcribe(
    root: str, data: bytes, name: str, model: str = "whisper-1", task: str = "transcriptions"
) -> tuple[int, Any]:
    """The status, and the JSON of the body."""
    boundary = uuid.uuid4().hex
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\n{model}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: audio/mpeg\r\n\r\n"
    ).encode()
    connection = http.client.HTTPConnection(root.removeprefix("http://"), timeout=60)
    try:
        connection.request(
            "POST",
            f"/v1/audio/{task}",
            body + data + f"\r\n--{boundary}--\r\n".encode(),
            {
                "authorization": "Bearer sk-test",
                "content-type": f"multipart/form-data; boundary={boundary}",
            },
        )
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def second_of_sound() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(32_000))
    return file.getvalue()


def assert_refused(answer: tuple[int, Any], model: str) -> None:
    status, body = answer
    assert status == 400, body
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["type"] == "invalid_request_error"
    assert ("usage" in body) <= (model == "whisper-1")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_a_400_while_others_are_answered(
    stub_server: Any, kind: str, model: str
) -> None:
    data = HOSTILE[kind]()
    with ThreadPoolExecutor(2) as pool:
        attack = pool.submit(transcribe, stub_server.root, data, "speech.mp3", model)
        status, _ = transcribe(stub_server.root, second_of_sound(), "speech.wav", model)
        assert status == 200
        assert_refused(attack.result(60), model)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_not_translated(stub_server: Any, kind: str) -> None:
    answer = transcribe(
        stub_server.root, HOSTILE[kind](), "speech.mp3", "whisper-1", "translations"
    )
    assert_refused(answer, "whisper-1")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("an hour in nine kilobytes", " bytes may last"),
        ("six hours in thirteen kilobytes", " bytes may last"),
        ("64 channels", "audio with 64 channels has more than 8 channels "),
    ],
)
def test_the_sender_is_told_what_was_refused(stub_server: Any, kind: str, words: str) -> None:
    _, body = transcribe(stub_server.root, HOSTILE[kind](), "a.mp3")
    assert words in body["error"]["message"]
    assert body["error"]["code"] == "invalid_value"


@pytest.mark.parametrize(("model", "limit"), [("whisper-1", 21_600), ("gpt-4o-transcribe", 1400)])
def test_what_is_too_long_is_refused_in_the_models_words(
    stub_server: Any, model: str, limit: int
) -> None:
    _, body = transcribe(stub_server.root, HOSTILE["ten hours of silence"](), "a.mp3", model)
    assert body["error"]["message"].endswith(
        f" seconds is longer than {limit} seconds which is the maximum for this model"
    )
    assert body["error"]["code"] == "invalid_value"


@pytest.fixture
def lure() -> Iterator[tuple[str, list[str]]]:
    """The address of a web server, and what was asked of it."""
    asked: list[str] = []

    class Noting(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(second_of_sound())

        def log_request(self, *_: object) -> None:
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Noting) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/secret.wav", asked
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("name", ["speech.mp3", "speech.mp4", "speech-%03d.mp3", "speech"])
@pytest.mark.parametrize("kind", playlists(""))
def test_a_playlist_leads_nowhere(
    stub_server: Any, lure: tuple[str, list[str]], tmp_path: Any, kind: str, name: str
) -> None:
    address, asked = lure
    secret = tmp_path / "secret.wav"
    secret.write_bytes(second_of_sound())
    for target in (address, str(secret), f"file://{secret}", f"concat:{secret}"):
        answer = transcribe(stub_server.root, playlists(target)[kind], name)
        assert_refused(answer, "whisper-1")
    assert asked == []


def test_many_hostile_files_at_once_leave_nothing_behind(serve: Any) -> None:
    """And the one among them that is well meant is heard."""
    attacks = [
        HOSTILE[kind]()
        for kind in ("ten hours of silence", "bomb of few frames", "64 channels", "zeros")
    ] * 4
    with serve("--engine", "stub") as server:
        transcribe(server.root, second_of_sound(), "speech.wav")
        before = len(psutil.Process(server.process.pid).children(recursive=True))
        with ThreadPoolExecutor(len(attacks)) as pool:
            answers = [pool.submit(transcribe, server.root, one, "a.mp3") for one in attacks]
            status, _ = transcribe(server.root, second_of_sound(), "speech.wav")
            assert status == 200
            for answer in answers:
                assert_refused(answer.result(60), "whisper-1")
        family = psutil.Process(server.process.pid).children(recursive=True)
        psutil.wait_procs([one for one in family if _decodes(one)], timeout=60)
        assert len(psutil.Process(server.process.pid).children(recursive=True)) <= before + 2
    _, alive = psutil.wait_procs(family, timeout=60)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def _decodes(process: Any) -> bool:
    try:
        return bool(process.rlimit(psutil.RLIMIT_NPROC)[0] == 0)
    except psutil.Error:
        return False
