"""The machine on which the benchmarks ran, what it can do at most, and a process's use of it."""

import os
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch

from models.precision import computes_bfloat16

INSTRUCTIONS = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16")
"""Instruction sets that change the speed of a network, as torch names them."""


def machine(device: str) -> str:
    """Describe the machine, its load, and the precision in which it runs the networks."""
    precision = "bfloat16" if computes_bfloat16(torch.device(device)) else "float32"
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name(device)}, {precision}"
    able = torch.cpu.get_capabilities()
    sets = ", ".join(name for name in INSTRUCTIONS if able.get(name))
    load = f"load {os.getloadavg()[0]:.1f}"
    return f"{processor()}, {os.cpu_count()} cores, {sets}; {precision}; {load}"


def processor() -> str:
    """Return the processor's name, as Linux has it."""
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else "unknown processor"


def multiply_adds() -> float:
    """Return how many multiply-adds a second one thread does in a product of large matrices."""
    matrix = torch.rand(1024, 1024)
    return 1024**3 / _fastest(lambda: matrix @ matrix)


def bandwidth() -> float:
    """Return how many bytes a second one thread copies from memory to memory, read and written."""
    source = torch.zeros(1 << 26, dtype=torch.uint8)
    target = torch.empty_like(source)
    return 2 * len(source) / _fastest(lambda: target.copy_(source))


def _fastest(work: Callable[[], object]) -> float:
    """Return the CPU seconds of the fastest of some runs in one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = []
    for _ in range(7):
        began = time.thread_time()
        work()
        seconds.append(time.thread_time() - began)
    torch.set_num_threads(threads)
    return min(seconds)


def peak_memory() -> float:
    """Return the peak memory of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_memory(pid: int) -> float:
    """Return the memory of a process, in MiB, as reported by Linux."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    if found is None:
        raise ProcessLookupError(f"Process {pid} holds no memory.")
    return int(found[1]) / 1024


def processor_time(pid: int) -> float:
    """Return the CPU seconds of a process, as reported by Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
