"""OSV (https://osv.dev): known vulnerabilities of packages, whose versions it compares itself.

Source: https://google.github.io/osv.dev/api/
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import requests

OSV = "https://api.osv.dev"
TIMEOUT_S = 30
BATCH = 1000  # the most queries that OSV takes at once
AT_ONCE = 8  # advisories fetched side by side


class Package(NamedTuple):
    """What an advisory source is asked about."""

    ecosystem: str
    name: str
    version: str


class NotAnsweredError(Exception):
    """A source gave no answer, or none that can be read."""


class Osv:
    """OSV's interface: ids for many packages at once, then each advisory by its id."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def advisories_of(self, packages: list[Package]) -> list[list[str]]:
        """Return the ids of each package's advisories, in the packages' order.

        Raises:
            NotAnsweredError: for all of them, if any of them was not answered.
        """
        found: list[list[str]] = []
        for start in range(0, len(packages), BATCH):
            found += self._batch(packages[start : start + BATCH])
        return found

    def _batch(self, packages: list[Package]) -> list[list[str]]:
        found: list[list[str]] = [[] for _ in packages]
        left = dict.fromkeys(range(len(packages)), "")
        while left:
            queries = [_query(packages[index], token) for index, token in left.items()]
            results = self._ask("/v1/querybatch", {"queries": queries}).get("results")
            if not isinstance(results, list) or len(results) != len(queries):
                raise NotAnsweredError(f"{self.url} answered something that is no answer")
            for index, result in zip(list(left), results):
                found[index] += [one["id"] for one in result.get("vulns", [])]
                left[index] = result.get("next_page_token", "")
            left = {index: token for index, token in left.items() if token}
        return found

    def advisories(self, ids: list[str]) -> tuple[dict[str, dict[str, Any]], str]:
        """Return advisories by id, and what was wrong with those that are missing."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(self._advisory, ids))
        found = {one: answer for one, answer in zip(ids, answers) if isinstance(answer, dict)}
        problems = [answer for answer in answers if isinstance(answer, str)]
        return found, f"{len(problems)} advisories: {problems[0]}" if problems else ""

    def _advisory(self, advisory: str) -> dict[str, Any] | str:
        try:
            answer = self._ask(f"/v1/vulns/{advisory}")
        except NotAnsweredError as error:
            return str(error)
        return answer if answer.get("id") == advisory else f"{self.url} answered something else"

    def _ask(self, path: str, question: dict[str, Any] | None = None) -> dict[str, Any]:
        method = "GET" if question is None else "POST"
        try:
            answer = requests.request(method, self.url + path, json=question, timeout=TIMEOUT_S)
        except requests.RequestException as error:
            raise NotAnsweredError(f"{self.url} did not answer ({_reason(error)})") from error
        if answer.status_code != requests.codes.ok:
            raise NotAnsweredError(f"{self.url} answered with status {answer.status_code}")
        try:
            content = answer.json()
        except requests.JSONDecodeError as error:
            raise NotAnsweredError(f"{self.url} answered something that is no JSON") from error
        if not isinstance(content, dict):
            raise NotAnsweredError(f"{self.url} answered something that is no answer")
        return content


def _query(package: Package, page_token: str) -> dict[str, Any]:
    query: dict[str, Any] = {
        "package": {"ecosystem": package.ecosystem, "name": package.name},
        "version": package.version,
    }
    return {**query, "page_token": page_token} if page_token else query


def _reason(error: requests.RequestException) -> str:
    """Return a reason in one word: an exception of requests repeats itself over lines."""
    return type(error).__name__
