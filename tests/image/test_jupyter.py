"""JupyterLab over its real API: who gets in, and what a kernel inherits."""

from __future__ import annotations

import pytest
import requests

from tests.image.conftest import MakeStack, Stack
from tests.image.jupyter_client import Jupyter


def status(stack: Stack, token: str | None) -> int:
    headers = {} if token is None else {"Authorization": f"token {token}"}
    return requests.get(f"{stack.url}/api/contents", headers=headers, timeout=30).status_code


def test_the_right_token_gets_in(stack: Stack) -> None:
    assert status(stack, stack.token) == 200


@pytest.mark.parametrize("token", [None, "", "wrong"], ids=["none", "empty", "wrong"])
def test_no_other_token_gets_in(stack: Stack, token: str | None) -> None:
    assert status(stack, token) == 403


def test_the_token_is_random_and_long(stack: Stack) -> None:
    assert len(stack.token) >= 32
    assert stack.must("docker", "compose", "logs", "jupyter").count(stack.token) >= 1


def test_an_empty_token_never_means_no_login_and_a_given_one_is_taken(
    make_stack: MakeStack,
) -> None:
    stack = make_stack()
    said = stack.up(JUPYTER_TOKEN="")
    first = stack.token
    assert f"{stack.url}/lab?token={first}" in said
    assert [status(stack, token) for token in (None, "", first)] == [403, 403, 200]

    stack.up(JUPYTER_TOKEN="chosen-by-hand")

    assert [status(stack, token) for token in (first, "chosen-by-hand")] == [403, 200]


def test_the_lab_page_is_served(stack: Stack) -> None:
    with Jupyter(stack.url, stack.token) as jupyter:
        assert "JupyterLab" in jupyter.get("/lab").text


def test_a_kernel_inherits_no_token_and_is_switched_on(stack: Stack) -> None:
    code = "import os; print(*(os.environ.get(n) for n in ('JUPYTER_TOKEN', 'REPRO_DISABLE')))"
    with Jupyter(stack.url, stack.token) as jupyter:
        assert jupyter.start_kernel().run(code) == "None None\n"


def test_two_kernels_see_the_same_first_number(stack: Stack) -> None:
    code = "import random; print(random.random())"
    with Jupyter(stack.url, stack.token) as jupyter:
        drawn = {jupyter.start_kernel().run(code) for _ in range(2)}

    assert drawn == {"0.6394267984578837\n"}


def test_the_server_itself_is_not_seeded(stack: Stack) -> None:
    status, environment = stack.container("jupyter").exec_run(
        ["sh", "-c", "cat /proc/$(pgrep -o jupyter-lab)/environ"]
    )

    assert status == 0
    assert "REPRO_DISABLE=1" in environment.decode().split("\0")


def test_a_users_own_disable_reaches_the_kernels(make_stack: MakeStack) -> None:
    code = "import random; print(random.random())"
    stack = make_stack()
    override = "services: {jupyter: {environment: {REPRO_DISABLE: '1'}}}"
    (stack.folder / "docker-compose.override.yml").write_text(override)
    stack.up()

    with Jupyter(stack.url, stack.token) as jupyter:
        drawn = {jupyter.start_kernel().run(code) for _ in range(2)}

    assert len(drawn | {"0.6394267984578837\n"}) == 3
