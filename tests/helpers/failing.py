"""A process that fails; here, and importing little, so that others can import it by name."""

import os
import signal

import torch.distributed as dist

from pneumoscope.errors import Diverged
from pneumoscope.records import Listener


def fail(plan: object, listener: Listener) -> None:
    """The second process fails as ``plan`` says; the first waits for it for ever."""
    if dist.get_rank() == 1:
        if plan == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise Diverged("training diverged", remedy="lower the rate")
    dist.barrier()
