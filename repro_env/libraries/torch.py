"""PyTorch: CPU and every CUDA device."""


def seed(value: int) -> None:
    """Seed the CPU's generator now and each CUDA device's when CUDA starts."""
    import torch

    torch.manual_seed(value)


def make_deterministic() -> None:
    """Take deterministic kernels, and raise where an operation has none.

    Source:
        https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    import os

    import torch

    # The public function, since torch 2.10, imports the compiler to tell it the same: 1.1 s more.
    # With its variable the compiler knows by itself, whenever it is imported.
    if os.environ.get("TORCHINDUCTOR_DETERMINISTIC") == "1":
        torch._C._set_deterministic_algorithms(True, warn_only=False)
    else:
        torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
