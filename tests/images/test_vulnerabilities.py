"""The report says what is known, and never more than was checked.

OSV is a server of our own here, which speaks as OSV's documentation says.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from images.osv import Osv
from images.vulnerabilities import as_json, as_text, check, status

from tests.images.samples import distribution, image

LONG_KNOWN = {("PyPI", "jinja2", "2.4.1"): ["OLD"], ("Debian:12", "openssl", "0.9.8a-1"): ["OLD"]}
REQUESTS = ("PyPI", "requests", "2.32.5")
GLIBC = ("Debian:12", "glibc", "2.36-9+deb12u10")
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens

Known = dict[tuple[str, str, str], list[str]]


class OsvServer(ThreadingHTTPServer):
    """Knows advisories by package and by id; can be made to fail."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.known: Known = dict(LONG_KNOWN)
        self.advisories: dict[str, dict[str, Any]] = {"OLD": {"id": "OLD"}}
        self.answer_status = 200
        self.body = b""  # what it says whatever it is asked
        self.page_size = 100
        self.asked: list[tuple[str, str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def knows(self, package: tuple[str, str, str], *advisories: dict[str, Any]) -> None:
        self.known[package] = [advisory["id"] for advisory in advisories]
        self.advisories.update({advisory["id"]: advisory for advisory in advisories})

    def result(self, query: dict[str, Any]) -> dict[str, Any]:
        package = query["package"]
        asked = (package["ecosystem"], package["name"], query["version"])
        self.asked.append(asked)
        start = int(query.get("page_token", 0))
        ids = self.known.get(asked, [])
        page = [{"id": one} for one in ids[start : start + self.page_size]]
        more = start + self.page_size < len(ids)
        return {"vulns": page, **({"next_page_token": str(start + len(page))} if more else {})}


class Handler(BaseHTTPRequestHandler):
    server: OsvServer

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.reply({"results": [self.server.result(query) for query in question["queries"]]})

    def do_GET(self) -> None:
        advisory = self.server.advisories.get(self.path.rpartition("/")[2])
        self.reply(advisory or {}, 200 if advisory else 404)

    def reply(self, content: dict[str, Any], code: int = 200) -> None:
        code = self.server.answer_status if code == 200 else code
        body = self.server.body or json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def osv() -> Iterator[OsvServer]:
    with OsvServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def flaw(number: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "summary": f"about {number}", **more}


def fixed(package: tuple[str, str, str], *versions: str) -> dict[str, Any]:
    """Return what an advisory says about the versions of a package that have the fix."""
    events = [{"introduced": "0"}, *[{"fixed": version} for version in versions]]
    return {
        "package": {"ecosystem": package[0], "name": package[1]},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }


def test_all_checked_and_none_known_is_status_0(osv: OsvServer) -> None:
    sources = check(image(), Osv(osv.url))

    assert status(sources) == 0
    assert as_text(image(), sources).count(": none known") == 2


def test_what_is_known_is_named_with_its_fix_and_is_status_1(osv: OsvServer) -> None:
    osv.knows(REQUESTS, flaw("CVE-2026-1", affected=[fixed(REQUESTS, "2.33.0")]))

    sources = check(image(), Osv(osv.url))

    assert status(sources) == 1
    line = "  requests 2.32.5: CVE-2026-1, fixed in 2.33.0: about CVE-2026-1"
    assert line in as_text(image(), sources).splitlines()


def test_a_debian_package_is_asked_about_by_its_source(osv: OsvServer) -> None:
    osv.knows(GLIBC, flaw("DEBIAN-CVE-2026-2", upstream=["CVE-2026-2"]))

    sources = check(image(), Osv(osv.url))

    assert "  glibc 2.36-9+deb12u10: CVE-2026-2, no fix named" in as_text(image(), sources)


def test_every_package_is_asked_about_once_and_ours_never(osv: OsvServer) -> None:
    check(image(), Osv(osv.url))

    assert sorted(set(osv.asked) - set(LONG_KNOWN)) == [
        ("Debian:12", "adduser", "3.134"),
        GLIBC,
        ("Debian:12", "graphviz", "2.42"),
        REQUESTS,
        ("PyPI", "single-file", "1.0"),
    ]
    assert len(osv.asked) == len(set(osv.asked))


def test_advisories_of_one_vulnerability_are_one_finding(osv: OsvServer) -> None:
    github = flaw("GHSA-x", aliases=["CVE-2026-3"], affected=[fixed(REQUESTS, "2.33.0")])
    python = flaw("PYSEC-3", aliases=["CVE-2026-3", "GHSA-x"])
    osv.knows(REQUESTS, github, python, flaw("PYSEC-4"))

    (source, _) = check(image(), Osv(osv.url))

    assert [finding.id for finding in source.findings] == ["CVE-2026-3", "PYSEC-4"]
    assert source.findings[0].advisories == ("GHSA-x", "PYSEC-3")


def test_a_withdrawn_advisory_is_none(osv: OsvServer) -> None:
    osv.knows(REQUESTS, flaw("PYSEC-5", withdrawn="2026-01-01T00:00:00Z"))

    assert status(check(image(), Osv(osv.url))) == 0


def test_another_package_s_fix_is_not_taken_for_ours(osv: OsvServer) -> None:
    other = ("PyPI", "requests-fork", "1")
    osv.knows(REQUESTS, flaw("CVE-2026-6", affected=[fixed(other, "9.9")]))

    assert "CVE-2026-6, no fix named" in as_text(image(), check(image(), Osv(osv.url)))


def test_all_pages_of_an_answer_are_read(osv: OsvServer) -> None:
    osv.page_size = 2
    osv.knows(REQUESTS, *[flaw(f"CVE-2026-{number}") for number in range(5)])

    (source, _) = check(image(), Osv(osv.url))

    assert len(source.findings) == 5


def test_a_source_that_is_not_reached_is_named_and_is_status_2() -> None:
    sources = check(image(), Osv(NOBODY))

    text = as_text(image(), sources)
    assert status(sources) == 2
    assert f"Python packages, 2: not checked: {NOBODY} did not answer (ConnectionError)" in text
    assert f"Debian:12 source packages, 3: not checked: {NOBODY} did not answer" in text
    assert not re.search("none known|no .*vulnerabilit", text)


@pytest.mark.parametrize(
    ("code", "body", "said"),
    [
        pytest.param(404, b"", "answered with status 404", id="404"),
        pytest.param(503, b"", "answered with status 503", id="503"),
        pytest.param(200, b"<html>sign in</html>", "something that is no JSON", id="a-portal"),
        pytest.param(200, b"[]", "something that is no answer", id="a-list"),
        pytest.param(200, b"{}", "something that is no answer", id="nothing"),
        pytest.param(200, b'{"results": []}', "something that is no answer", id="too-few"),
        pytest.param(
            200, b'{"results": [{}, {}, {}, {}]}', "something that is no answer", id="too-many"
        ),
    ],
)
def test_what_is_no_answer_is_never_taken_for_one(
    osv: OsvServer, code: int, body: bytes, said: str
) -> None:
    osv.answer_status, osv.body = code, body

    sources = check(image(debian=image().debian[:1]), Osv(osv.url))

    assert status(sources) == 2
    assert said in sources[0].problem


def test_a_source_that_knows_nothing_at_all_has_not_checked(osv: OsvServer) -> None:
    osv.known.pop(("Debian:12", "openssl", "0.9.8a-1"))

    python, debian = check(image(), Osv(osv.url))

    assert status([python, debian]) == 2
    assert (python.problem, debian.problem) == ("", f"{osv.url} does not know Debian:12")


def test_what_is_known_is_told_although_another_source_did_not_answer(osv: OsvServer) -> None:
    osv.knows(REQUESTS, flaw("CVE-2026-7"))
    osv.known.pop(("Debian:12", "openssl", "0.9.8a-1"))

    sources = check(image(), Osv(osv.url))

    assert status(sources) == 2
    assert "CVE-2026-7" in as_text(image(), sources)


def test_an_advisory_that_can_not_be_read_is_still_known(osv: OsvServer) -> None:
    osv.known[REQUESTS] = ["GHSA-lost"]

    sources = check(image(), Osv(osv.url))

    text = as_text(image(), sources)
    assert status(sources) == 2
    assert "not checked: 1 advisories: " in text
    assert "requests 2.32.5: GHSA-lost, no fix named" in text


def test_an_image_without_packages_is_not_checked(osv: OsvServer) -> None:
    sources = check(image(python=[]), Osv(osv.url))

    assert status(sources) == 2
    assert sources[0].problem == "the image named none"


def test_the_report_for_programs_says_the_same(osv: OsvServer) -> None:
    osv.knows(REQUESTS, flaw("CVE-2026-8"))

    told = json.loads(as_json(image(), check(image(), Osv(osv.url))))

    python, debian = told["sources"]
    assert (python["checked"], debian["checked"]) == (True, True)
    assert python["findings"][0]["id"] == "CVE-2026-8"
    assert python["findings"][0]["package"]["name"] == "requests"
    assert debian["findings"] == []


@pytest.mark.parametrize(("version", "warned"), [("2.9.3", True), ("2.20.0", False)])
def test_only_tensorflow_2_9_ends_with_what_its_end_means(version: str, warned: bool) -> None:
    asked = image(python=[distribution("tensorflow", version)])

    last = as_text(asked, []).rstrip().splitlines()[-1]

    assert last.startswith("TensorFlow 2.9 gets no fixes any more") is warned
    assert ("loopback" in last) is warned
