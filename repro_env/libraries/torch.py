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
    import torch

    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
