"""What others publish of their images' sizes; `None` where no dependable figure was found.

Jupyter's are from its wiki, one page a build: `docker images` of the machine that built it, which
counts unpacked layers, and since engines keep images in containerd the compressed ones as well;
the pages do not say which. Source: https://github.com/jupyter/docker-stacks/blob/347e76097224f4dea22f4d7a090e3d61a25a3d39/tagging/manifests/build_info.py
"""

from __future__ import annotations

from typing import NamedTuple

JUPYTER = "https://github.com/jupyter/docker-stacks/wiki/"
FORK = "https://github.com/mathbunnyru/docker-stacks/wiki/"  # of the one who publishes Jupyter's


class Published(NamedTuple):
    """One image of others, in decimal gigabytes, as a page said it was on a day."""

    name: str
    about: str = ""
    unpacked_gb: float | None = None
    compressed_gb: float | None = None
    as_of: str = ""
    source: str = ""


PUBLISHED = (
    Published(
        "quay.io/jupyter/tensorflow-notebook:c49624e35d4f",
        unpacked_gb=7.73,
        as_of="2026-07-28",
        source=f"{JUPYTER}x86_64-default-tensorflow-notebook-c49624e35d4f",
    ),
    Published(
        "quay.io/jupyter/tensorflow-notebook:5ea1adbfd8fd",
        unpacked_gb=4.88,
        as_of="2024-08-19",
        source=f"{JUPYTER}x86_64-default-tensorflow-notebook-5ea1adbfd8fd",
    ),
    Published("quay.io/jupyter/tensorflow-notebook:cuda-latest"),
    Published(
        "quay.io/jupyter/tensorflow-notebook:cuda-c49624e35d4f",
        "aarch64",
        unpacked_gb=15.1,
        as_of="2026-07-28",
        source=f"{JUPYTER}aarch64-cuda-tensorflow-notebook-c49624e35d4f",
    ),
    Published("quay.io/jupyter/pytorch-notebook:latest"),
    Published(
        "quay.io/mathbunnyru/pytorch-notebook:d1109d3a078c",
        "built from Jupyter's commit by its maintainer",
        unpacked_gb=4.33,
        as_of="2025-11-03",
        source=f"{FORK}x86_64-default-pytorch-notebook-d1109d3a078c",
    ),
    Published(
        "quay.io/jupyter/pytorch-notebook:cuda12-996fae1248fc",
        unpacked_gb=8.82,
        as_of="2024-05-16",
        source=f"{JUPYTER}x86_64-cuda12-pytorch-notebook-996fae1248fc",
    ),
    Published(
        "quay.io/jupyter/pytorch-notebook:cuda13-1887c69601ed",
        unpacked_gb=8.56,
        as_of="2026-09-01",
        source=f"{JUPYTER}x86_64-cuda13-pytorch-notebook-1887c69601ed",
    ),
    Published(  # `docker image ls`, undated, four weeks after the image was built: 2.7.1 is of June
        "pytorch/pytorch:2.7.1-cuda11.8-cudnn9-runtime",
        unpacked_gb=6.48,
        as_of="about 2025-07",
        source="https://github.com/GuillaumeMougeot/biom3d/blob/07af70261bd197fa0017c062e94ea7d5b1cfb059/docs/tuto/docker.md",
    ),
    Published(  # 13,291,800,576 bytes: each layer fetched, unpacked and counted
        "pytorch/pytorch:2.6.0-cuda12.4-cudnn9-devel",
        unpacked_gb=13.29,
        as_of="2026-08-18",
        source="https://github.com/aflock-ai/rookery/blob/f2f924bf393d698dc5c91590594a45ea0eda900d/plugins/attestors/oci/oci_large_layer_test.go",
    ),
)
