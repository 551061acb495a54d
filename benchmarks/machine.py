"""The machine on which the benchmarks ran, and a process's use of it."""

import os
import platform
import re
import resource
from pathlib import Path

import torch


def machine(device: str) -> str:
    """Describe the machine and its load."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    load = f"load {os.getloadavg()[0]:.1f}"
    threads = f"{torch.get_num_threads()} threads"
    return f"CPU ({platform.machine()}, {os.cpu_count()} cores, {threads}, {load})"


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
