"""The precision in which networks multiply: bfloat16 where the hardware does, float32 elsewhere."""

from typing import Literal

import torch

Precision = Literal["auto", "bfloat16", "float32"]

_precision: Precision = "auto"


def set_precision(precision: Precision) -> None:
    """Choose the precision of this process; `auto` takes bfloat16 where it is faster."""
    global _precision
    _precision = precision


def computes_bfloat16(device: torch.device) -> bool:
    """Return whether networks on the device multiply in bfloat16."""
    if _precision != "auto":
        return _precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return autocast to bfloat16 on the device, disabled where networks multiply in float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=computes_bfloat16(device))
