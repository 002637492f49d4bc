"""What torch can train on here."""

from __future__ import annotations

import torch


def training_devices() -> tuple[str, ...]:
    """Names of the devices, as torch has them: the processor, then each accelerator."""
    accelerators = (f"cuda:{number}" for number in range(torch.cuda.device_count()))
    return ("cpu", *accelerators, *(("mps",) if torch.backends.mps.is_available() else ()))
