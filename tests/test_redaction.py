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
MORE = [
    pytest.param("Authorization: Bearer abcdef123456", "Authorization: *** ***", id="header"),
    pytest.param(
        "curl -H 'Authorization: Bearer abcdef12' x",
        "curl -H 'Authorization: *** ***' x",
        id="header in a shell",
    ),
    pytest.param('{"api_key": "abc", "n": 1}', '{"api_key": ***, "n": 1}', id="JSON"),
    pytest.param("api_key = 'abc'; run()", "api_key = ***; run()", id="Python"),
    pytest.param("OPENAI_KEY=abc", "OPENAI_KEY=***", id="variable that ends in KEY"),
    pytest.param("pg://u:abc/5@host/db", "pg://***@host/db", id="slash"),
    pytest.param(r"PASSWORD='it'\''s abc' x", "PASSWORD=*** x", id="pieces of a shell's word"),
]
HARMLESS = [
    ["python", "train.py", "--lr", "0.1", "--tokenizer", "bert", "--author", "me"],
    ["x", "--max-tokens", "512"],
    ["sh", "-c", "echo $TOKEN"],
    ["x", "--password-file", "/run/secrets/p"],
    ["x", "https://host/a@b"],
    ["x", "key=value"],
    ["python", "-c", "token = tokenizer(text)"],
    ["x", "--sort-key", "name"],
]


@pytest.mark.parametrize(("command", "kept"), SECRETS)
def test_what_looks_like_a_secret_is_left_out(command: list[str], kept: list[str]) -> None:
    found, hidden = redaction.redact(command, {})

    assert found == kept
    assert hidden == [at for at, word in enumerate(command) if word != kept[at]]


@pytest.mark.parametrize(("word", "kept"), MORE)
def test_secrets_within_a_word_are_left_out(word: str, kept: str) -> None:
    assert redaction.redact([word], {})[0] == [kept]


def test_a_user_s_password_is_left_out_and_the_name_stays() -> None:
    assert redaction.redact(["curl", "-u", "me:abc", "x"], {})[0] == ["curl", "-u", "me:***", "x"]
    assert redaction.redact(["sort", "-u", "file"], {})[0] == ["sort", "-u", "file"]


@pytest.mark.parametrize("command", HARMLESS, ids=" ".join)
def test_other_arguments_stay(command: list[str]) -> None:
    assert redaction.redact(command, {"HOME": "/home/me"}) == (command, [])


def test_a_variable_s_secret_becomes_its_name_and_can_be_filled_in() -> None:
    environ = {"WANDB_API_KEY": "0123456789", "PLAIN": "something"}
    command = ["x", "0123456789", "--key=0123456789", "something"]

    kept, hidden = redaction.redact(command, environ)

    assert kept == ["x", "${WANDB_API_KEY}", "--key=${WANDB_API_KEY}", "something"]
    assert redaction.fill_in(kept, hidden, environ) == command


def test_the_working_folder_is_no_secret() -> None:
    environ = {"PWD": "/home/me/project", "OLDPWD": "/home/me"}

    assert redaction.redact(["python", "/home/me/project/a.py"], environ)[1] == []


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
