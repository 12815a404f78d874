"""What is installed on top of the torch stack's image for its tests changes nothing of it."""

from __future__ import annotations

import re

from images.relock import pythons

from tests.conftest import PROJECT

IMAGE = pythons((PROJECT / "requirements/torch.txt").read_text())
BESIDE = pythons((PROJECT / "requirements/strangers.txt").read_text())


def test_it_holds_only_what_the_image_lacks() -> None:
    assert BESIDE.keys() & IMAGE.keys() == set()


def test_it_holds_all_that_is_asked_for() -> None:
    text = (PROJECT / "requirements/strangers.in").read_text()
    asked = set(re.findall(r"^[a-z][\w-]*", text, re.M))

    assert "ray" in asked
    assert asked <= BESIDE.keys()
