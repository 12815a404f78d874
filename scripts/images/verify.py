"""Tell whether two saved images are the same, bit for bit, and where they are not."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from images import wording
from images.archive import Archive, Layer
from images.compare import Differences, LayerDifference, PathDifference, differences
from images.documents import Aspect

NOT_THE_FILES = "no entry differs: their order, their headers or the compression does"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take two archives."""
    parser.add_argument("first", type=Path, metavar="FIRST.tar")
    parser.add_argument("second", type=Path, metavar="SECOND.tar")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--all", action="store_true", help="print every difference, however many")


def main(args: argparse.Namespace) -> int:
    """Print the differences, then the verdict; return 0 for identical, 1 for different."""
    with Archive(args.first) as first, Archive(args.second) as second:
        digests = [first.manifest_digest, second.manifest_digest]
        identical = digests[0] == digests[1]
        found = Differences([], [], [], []) if identical else differences(first, second)
    if args.json:
        print(json.dumps({"identical": identical, "digests": digests, **as_json(found)}, indent=2))
    else:
        print(
            "\n".join(
                [*as_lines(found, None if args.all else wording.LINES_SHOWN), verdict(*digests)]
            )
        )
    return 0 if identical else 1


def verdict(first: str, second: str) -> str:
    """Return the line that scripts read."""
    return f"identical: {first}" if first == second else f"different: {first} and {second}"


def as_lines(found: Differences, shown: int | None) -> list[str]:
    """Return the differences for a terminal: layers, configuration, manifest."""
    lines = [line for layer in found.layers for line in _layer_lines(layer, shown)]
    for title, aspects in (("config", found.config), ("manifest", found.manifest)):
        if aspects:
            lines += [
                f"{title}:",
                *wording.indented(wording.capped([*map(wording.aspect, aspects)], shown)),
            ]
    return [*lines, *(f"{title}: the same values in other bytes" for title in found.same_values)]


def as_json(found: Differences) -> dict[str, Any]:
    """Return the differences for a program."""
    return {
        "layers": [
            {
                "number": layer.number,
                "created_by": _step(layer),
                "digests": [part.digest if part else None for part in (layer.first, layer.second)],
                "paths": [_path_json(path) for path in layer.paths],
            }
            for layer in found.layers
        ],
        "config": [*map(aspect_json, found.config)],
        "manifest": [*map(aspect_json, found.manifest)],
        "same_values": found.same_values,
    }


def aspect_json(found: Aspect) -> dict[str, str]:
    """Return one difference for a program."""
    return found._asdict()


def _path_json(found: PathDifference) -> dict[str, Any]:
    return {"path": found.path, "in": found.side, "differs": [*map(aspect_json, found.aspects)]}


def _layer_lines(layer: LayerDifference, shown: int | None) -> list[str]:
    title = f"layer {layer.number}"
    if step := _step(layer):
        title += f", {wording.shortened(step, wording.STEP_WIDTH)}"
    lines = [*map(wording.path, layer.paths)]
    if not layer.first or not layer.second:
        lines.insert(0, f"the {'second' if layer.first else 'first'} image has no such layer")
    return [f"{title}:", *wording.indented(wording.capped(lines or [NOT_THE_FILES], shown))]


def _step(layer: LayerDifference) -> str:
    made: Layer | None = layer.second or layer.first
    return made.created_by if made else ""
