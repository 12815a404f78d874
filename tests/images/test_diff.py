"""What changed between two images is told in packages, settings and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from images.archive import Archive
from images.changes import Changes, changes
from images.compare import PathDifference
from images.diff import file_lines
from images.snapshot import snapshots

from tests.images.saved import (
    File,
    Layout,
    configuration,
    digest,
    hard_link,
    layer,
    save,
    symlink,
)
from tests.images.test_compare import images

SITE = "opt/venv/lib/python3.9/site-packages"


def python_package(name: str, version: str, *modules: str, code: bytes = b"") -> list[File]:
    """Install a package the way pip does, with bytecode that no list names."""
    info = f"{SITE}/{name}-{version}.dist-info"
    listed = [*(f"{name}/{module}.py" for module in modules), f"../../../bin/{name}"]
    return [
        File(f"{SITE}/{name}/"),
        *(File(f"{SITE}/{name}/{module}.py", code) for module in modules),
        *(File(f"{SITE}/{name}/__pycache__/{module}.cpython-39.pyc", code) for module in modules),
        File(f"opt/venv/bin/{name}", code),
        File(f"{info}/METADATA", f"Name: {name}\nVersion: {version}\n\ntext\n".encode()),
        File(f"{info}/RECORD", "".join(f"{path},sha256=x,1\n" for path in listed).encode()),
    ]


def debian_package(name: str, version: str, *paths: str, code: bytes = b"") -> list[File]:
    status = f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n"
    listed = "".join(f"/{path}\n" for path in (".", "bin", *paths))
    return [
        symlink("bin", "usr/bin"),
        *(File(path.replace("bin/", "usr/bin/"), code) for path in paths),
        File("var/lib/dpkg/status", f"{status}Version: {version}\n\n".encode()),
        File(f"var/lib/dpkg/info/{name}:amd64.list", listed.encode()),
        File(f"var/lib/dpkg/info/{name}:amd64.md5sums", version.encode()),
    ]


def changed(
    folder: Path,
    was: list[bytes],
    now: list[bytes],
    settings: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
) -> Changes:
    one = save(folder / "a.tar", *was, settings=settings[0])
    other = save(folder / "b.tar", *now, settings=settings[1])
    with snapshots(str(one), str(other)) as (first, second):
        return changes(first, second)


def named(found: Changes) -> list[tuple[str, str]]:
    return [(file.path, file.side) for file in found.files]


def test_the_same_image_has_not_changed(tmp_path: Path) -> None:
    content = layer(*python_package("numpy", "1.0", "core"), File("etc/hello"))

    assert changed(tmp_path, [content], [content]) == Changes([], [], [])


def test_the_same_files_at_another_time_in_other_layers_have_not_changed(tmp_path: Path) -> None:
    split = [layer(File("a", mtime=1)), layer(File("b", mtime=1))]

    assert changed(tmp_path, [layer(File("b"), File("a"))], split) == Changes([], [], [])


def test_a_changed_python_package_is_one_line_not_its_files(tmp_path: Path) -> None:
    modules = [f"module{number}" for number in range(50)]
    was = python_package("numpy", "1.0", *modules, code=b"old")
    now = python_package("numpy", "2.0", *modules, code=b"new")

    found = changed(tmp_path, [layer(*was)], [layer(*now)])

    assert [tuple(package)[:4] for package in found.packages] == [(SITE, "numpy", "1.0", "2.0")]
    assert found.packages[0].files == 50 + 50 + 1 + 4  # bytecode, a command, metadata
    assert named(found) == []


def test_a_new_and_a_lost_python_package_are_told(tmp_path: Path) -> None:
    found = changed(
        tmp_path,
        [layer(*python_package("old_one", "1.0", "a"))],
        [layer(*python_package("new", "2.0", "b"))],
    )

    assert [(package.name, package.was, package.now) for package in found.packages] == [
        ("new", None, "2.0"),
        ("old-one", "1.0", None),
    ]
    assert named(found) == []


def test_a_changed_debian_package_is_one_line_below_a_linked_bin_too(tmp_path: Path) -> None:
    was = debian_package("bash", "5.1", "bin/bash", "usr/share/doc", code=b"old")
    now = debian_package("bash", "5.2", "bin/bash", "usr/share/doc", code=b"new")

    found = changed(tmp_path, [layer(*was)], [layer(*now)])

    assert [tuple(package) for package in found.packages] == [("debian", "bash", "5.1", "5.2", 3)]
    assert named(found) == []


def test_a_removed_debian_package_whose_settings_stay_is_removed(tmp_path: Path) -> None:
    now = b"Package: bash\nStatus: deinstall ok config-files\nVersion: 5.1\n"

    found = changed(
        tmp_path,
        [layer(*debian_package("bash", "5.1"))],
        [layer(*debian_package("bash", "5.1"), File("var/lib/dpkg/status", now))],
    )

    assert [package[1:4] for package in found.packages] == [("bash", "5.1", None)]


def test_a_changed_file_of_an_unchanged_package_is_named(tmp_path: Path) -> None:
    found = changed(
        tmp_path,
        [layer(*python_package("numpy", "1.0", "core", code=b"old"))],
        [layer(*python_package("numpy", "1.0", "core", code=b"new"))],
    )

    assert found.packages == []
    assert (f"{SITE}/numpy/core.py", "both") in named(found)


def test_a_file_of_nobody_is_named_beside_a_changed_package(tmp_path: Path) -> None:
    found = changed(
        tmp_path,
        [layer(*python_package("numpy", "1.0", "core"), File("etc/a"))],
        [layer(*python_package("numpy", "2.0", "core"), File("etc/a", mode=0o600))],
    )

    assert len(found.packages) == 1
    assert named(found) == [("etc/a", "both")]
    assert [aspect.name for aspect in found.files[0].aspects] == ["mode"]


def test_a_new_folder_is_named_by_what_is_in_it_and_an_empty_one_by_itself(tmp_path: Path) -> None:
    now = [File("opt/"), File("opt/a"), File("empty/")]

    found = changed(tmp_path, [layer()], [layer(*now)])

    assert named(found) == [("empty", "second"), ("opt/a", "second")]


@pytest.mark.parametrize(
    ("upper", "left"),
    [
        pytest.param([File("d/.wh.a")], ["d", "d/b", "e"], id="a file"),
        pytest.param([File(".wh.d")], ["e"], id="a folder"),
        pytest.param(
            [File("d/"), File("d/.wh..wh..opq"), File("d/c")], ["d", "d/c", "e"], id="all"
        ),
        pytest.param([File("d")], ["d", "e"], id="a file for a folder"),
        pytest.param([], ["d", "d/a", "d/b", "e"], id="nothing"),
    ],
)
def test_what_a_layer_takes_away_is_gone(
    tmp_path: Path, upper: list[File], left: list[str]
) -> None:
    lower = layer(File("d/"), File("d/a"), File("d/b"), File("e"))
    path = save(tmp_path / "a.tar", lower, layer(*upper))

    with snapshots(str(path)) as (image,), image.opened() as read:
        assert sorted(read().entries) == left


def test_which_name_of_a_file_comes_first_does_not_matter(tmp_path: Path) -> None:
    was = layer(File("a", b"x"), hard_link("b", "a"))
    now = layer(File("b", b"x"), hard_link("a", "b"))

    assert changed(tmp_path, [was], [now]) == Changes([], [], [])


def test_a_setting_that_changed_is_named(tmp_path: Path) -> None:
    content = layer(File("a"))
    was = {"Env": ["SEED=1", "A=B"], "User": "", "Labels": None}
    now = {"Env": ["A=B", "SEED=2"], "Entrypoint": ["/entry"]}

    found = changed(tmp_path, [content], [content], (was, now))

    assert [tuple(setting) for setting in found.settings] == [
        ("Entrypoint", "(absent)", "['/entry']"),
        ("Env.SEED", "1", "2"),
    ]


def broken(folder: Path, name: str, layers: list[bytes], seed: str) -> Path:
    """Save an image whose first layer holds other bytes than its digest says."""
    layout = Layout()
    layout.name(layout.add_image(layers, configuration(layers, {"Env": [f"SEED={seed}"]})))
    layout.files[f"blobs/sha256/{digest(layers[0])[7:]}"] = b"?" * len(layers[0])
    return layout.write(folder / name)


def test_images_of_the_same_layers_are_not_read(tmp_path: Path) -> None:
    one = broken(tmp_path, "a.tar", [layer(File("f"))], "1")
    other = broken(tmp_path, "b.tar", [layer(File("f"))], "2")

    told = images("diff", one, other)

    assert (told.returncode, told.stderr) == (1, "")
    assert "  Env.SEED 1 -> 2" in told.stdout.splitlines()


def test_images_of_other_layers_are_read(tmp_path: Path) -> None:
    one = broken(tmp_path, "a.tar", [layer(File("f"))], "1")
    other = broken(tmp_path, "b.tar", [layer(File("g"))], "1")

    assert images("diff", one, other).returncode == 2


def test_a_layer_that_both_share_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    contents = Archive.contents

    def counted(self: Archive, one: Any, *rest: Any) -> Any:
        read.append(one.digest)
        return contents(self, one, *rest)

    monkeypatch.setattr(Archive, "contents", counted)
    shared, own = layer(File("s")), layer(File("o"))

    changed(tmp_path, [shared], [shared, own])

    assert sorted(read) == sorted([digest(shared), digest(own)])


def test_many_files_are_told_by_folder_and_one_on_its_own() -> None:
    paths = [*(f"opt/a/{number}" for number in range(90)), *(f"opt/b/{n}" for n in range(10)), "x"]
    files = [PathDifference(path, "second", []) for path in sorted(paths)]

    assert file_lines(files, 40) == ["/opt/a/: 90 added", "/opt/b/: 10 added", "added /x"]
    assert len(file_lines(files, None)) == 101
    assert file_lines(files[:2], 40) == ["added /opt/a/0", "added /opt/a/1"]


def test_the_report_ends_with_the_size(tmp_path: Path) -> None:
    one = save(tmp_path / "a.tar", layer(File("a", b"x" * 20_000)))
    other = save(tmp_path / "b.tar", layer(File("a", b"x" * 50_000)))

    told = images("diff", one, other)

    assert told.returncode == 1
    assert "  changed /a: content" in told.stdout
    assert told.stdout.splitlines()[-1].startswith(
        "size: 30.7 kB (30720 bytes, layers as saved) -> "
    )
    same = images("diff", one, one)
    assert same.returncode == 0
    assert same.stdout.splitlines()[-1].endswith("no change")
