"""PyTorch's `DataLoader`: workers that differ over ranks, too.

torch seeds each worker from a number that the loader draws for each epoch. All ranks have the
same global seed, so without this they would draw the same number, and augment alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repro_env.processes import Seeder


def follow(seeder: Seeder) -> None:
    """Mix the rank into the number; where there is one process, it stays as it is.

    Source:
        https://github.com/pytorch/pytorch/blob/main/torch/utils/data/dataloader.py (`_base_seed`)
    """
    del seeder
    import os

    from torch.utils.data import dataloader

    from repro_env import settings, streams

    begin = dataloader._BaseDataLoaderIter.__init__

    def begin_with_rank(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        rank = settings.read_rank(os.environ)
        if rank is not None:
            self._base_seed = streams.derive(self._base_seed, "loader", rank) >> 65  # 63 bits

    dataloader._BaseDataLoaderIter.__init__ = begin_with_rank
