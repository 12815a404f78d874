"""Leave secrets out of command lines: what a record holds may be shown to anybody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

HIDDEN = "***"
SHORTEST = 6  # characters: shorter values of variables are in everybody's arguments
_PLAIN = {"PWD", "OLDPWD"}  # no password
_WORDS = {
    "auth",
    "authorization",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "token",
}
_PAIRS = {"apikey", "accesskey", "privatekey", "secretkey", "authkey", "accountkey"}
_USERS = ("-u", "--user")  # as of curl: NAME:PASSWORD
_HARMLESS = {"dir", "file", "path", "type"}  # as `--password-file`: where one is
# Tokens that show by their form: of GitHub, GitLab, OpenAI and Anthropic, Hugging Face, Slack, AWS.
_FORMS = re.compile(
    r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|sk-[\w-]{16,}|hf_\w{16,}"
    r"|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{12,})"
)
_NAMED = re.compile(r"\$\{(\w+)\}")
_BEARER = re.compile(r"\b(Authorization:\s*)?(Bearer|Basic|Token)\s+[\w.~+/=-]{4,}", re.I)
_USER = re.compile(r"(\b[a-z][a-z0-9+.-]*://)(?:[^/\s@]+|[^\s@/]*:[^\s@]*)@", re.I)
# NAME=VALUE, NAME: VALUE, "NAME": "VALUE", NAME = "VALUE"; quoted pieces of a shell's word too.
_QUOTED = r"'[^']*'|\"[^\"]*\""
_ASSIGNED = re.compile(
    rf"([A-Za-z_][\w.-]*)([\"']?(?:\s*[=:]\s*(?=[\"'])|[=:]\s*))"
    rf"((?:{_QUOTED}|\\.|[^\s'\";&|,}}\\])+)"
)


def is_secret(name: str) -> bool:
    """Say whether a variable or an option of this name holds a secret."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]
    if not words or words[-1] in _HARMLESS or name in _PLAIN:
        return False
    if re.fullmatch(r"[A-Z0-9_]+_KEY", name):  # as variables are named
        return True
    pairs = {first + second for first, second in zip(words, words[1:])}
    return not _WORDS.isdisjoint(words) or not _PAIRS.isdisjoint(pairs | set(words))


def redact(command: Sequence[str], environ: Mapping[str, str]) -> tuple[list[str], list[int]]:
    """Return a command without its secrets, and the places of the arguments that held some.

    What is the value of a variable whose name says that it is secret becomes that name, as
    `${WANDB_API_KEY}`, so that it can be filled in again; what else looks like a secret becomes
    `***`.

    Args:
        command: The program and its arguments.
        environ: The environment, where secrets have names.
    """
    values = {
        value: name
        for name, value in environ.items()
        if is_secret(name) and len(value) >= SHORTEST and not value.isspace()
    }
    kept: list[str] = []
    option = ""  # of which the next word is the value
    for word in command:
        kept.append(_value(word, option, values) if option else _without_values(word, values))
        is_option = word.startswith("-") and "=" not in word
        option = word if is_option and (word in _USERS or is_secret(word)) else ""
    return kept, [at for at, word in enumerate(command) if kept[at] != word]


def fill_in(command: Sequence[str], hidden: Sequence[int], environ: Mapping[str, str]) -> list[str]:
    """Return a command with its secrets, as far as the environment has them: undo `redact`."""
    filled = list(command)
    for at in hidden:
        filled[at] = _NAMED.sub(lambda found: environ.get(found[1], found[0]), filled[at])
    return filled


def _value(word: str, option: str, values: Mapping[str, str]) -> str:
    if option in _USERS:
        user, sign, _ = word.partition(":")
        return f"{user}:{HIDDEN}" if sign else word
    return f"${{{values[word]}}}" if word in values else HIDDEN


def _without_values(word: str, values: Mapping[str, str]) -> str:
    for value in sorted(values, key=len, reverse=True):
        word = word.replace(value, f"${{{values[value]}}}")
    word = _FORMS.sub(HIDDEN, _USER.sub(rf"\1{HIDDEN}@", word))
    word = _BEARER.sub(rf"\1\2 {HIDDEN}", word)
    return _ASSIGNED.sub(_assigned, word)


def _assigned(found: re.Match[str]) -> str:
    name, sign, value = found.groups()
    if not is_secret(name) or value.startswith("$"):  # of a shell's, or our own
        return found[0]
    return f"{name}{sign}{HIDDEN}"
