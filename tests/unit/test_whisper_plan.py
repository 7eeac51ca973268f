"""How Whisper is run on machines of all sizes, and how a machine's size is told."""

from pathlib import Path

import pytest

from soundalike.engines.whisper.machine import free_memory, this_machine, usable_cores
from soundalike.engines.whisper.plan import Machine, Plan, Wishes, planned

BASE = 145_000_000
LARGE = 3_090_000_000
GIB = 1 << 30
X86 = {"int8", "int8_float32", "float32"}
CUDA = {"float16", "int8_float16", "float32"}


def machine(cores: int, *, gpus: int = 0, memory: int | None = 64 * GIB) -> Machine:
    return Machine(cores, gpus, memory, {"cpu": X86, "cuda": CUDA})


@pytest.mark.parametrize(
    ("there_is", "plan"),
    [
        (machine(1), Plan("cpu", "int8", 1, 1)),
        (machine(2), Plan("cpu", "int8", 2, 1)),
        (machine(4), Plan("cpu", "int8", 4, 1)),
        (machine(6), Plan("cpu", "int8", 4, 1)),
        (machine(16), Plan("cpu", "int8", 4, 4)),
        (machine(16, memory=None), Plan("cpu", "int8", 4, 4)),
        (machine(8, gpus=1), Plan("cuda", "float16", 2, 4)),
        (machine(8, gpus=1, memory=GIB // 8), Plan("cuda", "float16", 2, 4)),
        (Machine(4, 0, None, {"cpu": {"float32"}}), Plan("cpu", "float32", 4, 1)),
        (Machine(4, 1, None, {"cuda": {"int8", "float32"}}), Plan("cuda", "float32", 2, 2)),
    ],
)
def test_the_machine_decides(there_is: Machine, plan: Plan) -> None:
    assert planned(there_is, Wishes(), BASE) == plan


@pytest.mark.parametrize(
    ("memory", "weights", "slots", "threads"),
    [
        (8 * GIB, BASE, 4, 2),
        (400_000_000, BASE, 2, 4),
        (150_000_000, BASE, 1, 8),
        (16 * GIB, LARGE, 4, 2),
        (8 * GIB, LARGE, 2, 4),
        (2 * GIB, LARGE, 1, 8),
    ],
)
def test_slots_fit_into_the_memory_beside_the_weights(
    memory: int, weights: int, slots: int, threads: int
) -> None:
    plan = planned(machine(8, memory=memory), Wishes(), weights)
    assert (plan.slots, plan.threads) == (slots, threads)


@pytest.mark.parametrize(
    ("wishes", "plan"),
    [
        (Wishes(device="cpu"), Plan("cpu", "int8", 4, 2)),
        (Wishes(compute_type="int8_float16"), Plan("cuda", "int8_float16", 2, 4)),
        (Wishes(device="cpu", slots=8), Plan("cpu", "int8", 8, 1)),
        (Wishes(device="cpu", slots=1), Plan("cpu", "int8", 1, 8)),
        (Wishes(device="cpu", threads=3), Plan("cpu", "int8", 4, 3)),
        (Wishes("cpu", "float32", 3, 2), Plan("cpu", "float32", 3, 2)),
    ],
)
def test_wishes_are_followed(wishes: Wishes, plan: Plan) -> None:
    assert planned(machine(8, gpus=1), wishes, BASE) == plan


def test_a_device_that_is_not_there_is_not_replaced() -> None:
    assert planned(machine(2), Wishes(device="cuda"), BASE).device == "cuda"


def test_a_containers_share_of_the_cores(tmp_path: Path) -> None:
    everything = usable_cores(tmp_path)
    assert everything >= 1
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert usable_cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert usable_cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cores(tmp_path) == everything


def test_a_containers_share_of_the_memory(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    assert free_memory(tmp_path, meminfo) is None
    meminfo.write_text("MemTotal: 8000 kB\nMemAvailable: 4000 kB\n")
    assert free_memory(tmp_path, meminfo) == 4000 * 1024
    (tmp_path / "memory.current").write_text("1000000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(tmp_path, meminfo) == 4000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    assert free_memory(tmp_path, meminfo) == 2_000_000
    (tmp_path / "memory.stat").write_text("anon 400\nactive_file 100000\ninactive_file 200000\n")
    assert free_memory(tmp_path, meminfo) == 2_300_000


def test_this_machine() -> None:
    there_is = this_machine()
    assert there_is.cores >= 1
    assert "float32" in there_is.number_types["cpu"]


def test_int8_on_a_cpu_is_computed_by_onnxruntime() -> None:
    assert Plan("cpu", "int8", 2, 1).on_onnxruntime
    for device, compute_type in (("cpu", "int8_float32"), ("cpu", "float32"), ("cuda", "int8")):
        assert not Plan(device, compute_type, 2, 1).on_onnxruntime
