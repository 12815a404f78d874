"""Secrets are left out of command lines, and only those."""

from __future__ import annotations

import pytest

from repro_env.runs import redaction

SECRETS = [
    pytest.param(["x", "--token", "abc"], ["x", "--token", "***"], id="option"),
    pytest.param(["x", "--api-key=abc"], ["x", "--api-key=***"], id="option with ="),
    pytest.param(
        ["x", "--hf-token", "a", "b"], ["x", "--hf-token", "***", "b"], id="its value alone"
    ),
    pytest.param(["DB_PASSWORD=abc", "x"], ["DB_PASSWORD=***", "x"], id="assignment"),
    pytest.param(
        ["sh", "-c", "SECRET='a b' x; y"], ["sh", "-c", "SECRET=***" + " x; y"], id="in a shell"
    ),
    pytest.param(["x", "https://me:abc@host/p"], ["x", "https://***@host/p"], id="URL"),
    pytest.param(["x", "ghp_" + "a1" * 18], ["x", "***"], id="by its form"),
    pytest.param(
        ["x", "trainer.wandb.apiKey=abc"], ["x", "trainer.wandb.apiKey=***"], id="configuration"
    ),
]
HARMLESS = [
    ["python", "train.py", "--lr", "0.1", "--tokenizer", "bert", "--author", "me"],
    ["x", "--max-tokens", "512"],
    ["sh", "-c", "echo $TOKEN"],
    ["x", "--password-file", "/run/secrets/p"],
    ["x", "https://host/a@b"],
    ["x", "key=value"],
]


@pytest.mark.parametrize(("command", "kept"), SECRETS)
def test_what_looks_like_a_secret_is_left_out(command: list[str], kept: list[str]) -> None:
    found, hidden = redaction.redact(command, {})

    assert found == kept
    assert hidden == [at for at, word in enumerate(command) if word != kept[at]]


@pytest.mark.parametrize("command", HARMLESS, ids=" ".join)
def test_other_arguments_stay(command: list[str]) -> None:
    assert redaction.redact(command, {"HOME": "/home/me"}) == (command, [])


def test_a_variable_s_secret_becomes_its_name_and_can_be_filled_in() -> None:
    environ = {"WANDB_API_KEY": "0123456789", "PLAIN": "something"}
    command = ["x", "0123456789", "--key=0123456789", "something"]

    kept, hidden = redaction.redact(command, environ)

    assert kept == ["x", "${WANDB_API_KEY}", "--key=${WANDB_API_KEY}", "something"]
    assert redaction.fill_in(kept, hidden, environ) == command


def test_short_values_of_variables_hide_nothing() -> None:
    assert redaction.redact(["x", "1"], {"TOKEN": "1"}) == (["x", "1"], [])


@pytest.mark.parametrize(
    "name",
    [
        "TOKEN",
        "GITHUB_TOKEN",
        "apiKey",
        "api-key",
        "AWS_SECRET_ACCESS_KEY",
        "PASSWORD",
        "authToken",
        "APIKEY",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert redaction.is_secret(name)


@pytest.mark.parametrize(
    "name", ["PATH", "tokenizer", "author", "key", "monkey", "KEYBOARD", "max_tokens", "secretary"]
)
def test_names_of_nothing_secret(name: str) -> None:
    assert not redaction.is_secret(name)
