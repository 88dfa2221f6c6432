"""One TOML table into one settings model: secrets resolved, every fault a sentence that names the fix.

Nothing here knows which settings exist: `connector.config.settings` and the integrations' `settings.py` say that with pydantic
models. Faults are collected, not raised, so that one run shows all of them. No value of the file appears in a fault:
what stands under a wrong key may be a secret.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from connector.config.mistakes import file_shown, looks_like_a_variable, reference, shown, toml_fault
from connector.model.errors import ConfigError

M = TypeVar("M", bound=BaseModel)

#: Bytes; a larger configuration was named by mistake.
MAX_FILE = 1_048_576
#: Bytes; a secret's file that is larger was named by mistake.
MAX_SECRET_FILE = 65_536
#: Secrets that are never sent, and have several lines.
SEVERAL_LINES = frozenset({"private_key"})
HOW_TO_GIVE = '{ env = "NAME" }, { file = "path" } or text in quotes'

#: pydantic's error type → our sentence; `{…}` are the error's own context.
SENTENCES = {
    "bool_parsing": "must be true or false, without quotes",
    "bool_type": "must be true or false, without quotes",
    "dict_type": "must be a table",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number, without quotes",
    "float_type": "must be a number, without quotes",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number, without quotes",
    "int_type": "must be a whole number, without quotes",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": 'must be a list, for example ["…"]',
    "literal_error": "must be one of {expected}",
    "model_attributes_type": "must be a table",
    "model_type": "must be a table",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": 'must be text in quotes, for example "…"',
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have at least {min_length} entries",
    "tuple_type": 'must be a list, for example ["…"]',
}


def parse(path: Path) -> dict[str, Any]:
    """Return the file's tables; raise ConfigError with one clear line when it cannot be read at all."""
    try:
        if path.is_dir():
            raise ConfigError([f"{path}: is a folder; name the configuration file in it"])
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE + 1)
        if len(raw) > MAX_FILE:
            raise ConfigError([f"{path}: is larger than {MAX_FILE} bytes; is it the configuration file?"])
        # Editors on Windows put a byte order mark in front, which tomllib takes for a statement.
        text = raw.decode("utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError:
        fault = "does not exist; write it with `connector init`, or name another file with --config"
    except tomllib.TOMLDecodeError as error:
        fault = toml_fault(str(error), text)
    except UnicodeDecodeError as error:
        fault = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
    except RecursionError:
        fault = "is nested too deeply to be a configuration"
    except (OSError, ValueError) as error:
        fault = f"cannot be read ({reason(error)}); correct its path or permissions"
    raise ConfigError([f"{path}: {fault}"])


def reason(error: Exception) -> str:
    """Why a file cannot be read, in the system's words."""
    return (error.strerror or "the system refuses") if isinstance(error, OSError) else "that is no path"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "x"?`, or what there is when nothing comes near."""
    names = sorted(known)
    if close := get_close_matches(word, names, n=1):
        return f'did you mean "{close[0]}"?'
    return f"known here: {', '.join(names)}" if names else "there is none here"


def _leaves(annotation: Any) -> Iterator[Any]:
    """Every plain type inside an annotation such as `tuple[SecretStr, ...] | None`."""
    if get_origin(annotation) in (None, Literal):
        yield annotation
        return
    for inner in get_args(annotation):
        yield from _leaves(inner)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (tuple, list) or any(_is_list(a) for a in get_args(annotation))


def _nested(info: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is itself a table."""
    models = (leaf for leaf in _leaves(info.annotation) if isinstance(leaf, type) and issubclass(leaf, BaseModel))
    return next(models, None)


def _is_secret(info: FieldInfo) -> bool:
    return SecretStr in _leaves(info.annotation)


def _is_number(info: FieldInfo) -> bool:
    leaves = set(_leaves(info.annotation))
    return bool({int, float} & leaves) and bool not in leaves


def _example(key: str, info: FieldInfo | None) -> str:
    """What a missing key could look like."""
    if info is None:
        return ""
    if _is_secret(info):
        one = f'{{ env = "{key.upper()}" }}'
        return f"{key} = [{one}]" if _is_list(info.annotation) else f"{key} = {one}"
    if _nested(info):
        return f"{key} = {{ … }}"
    first = next(leaf for leaf in _leaves(info.annotation) if leaf is not NoneType)
    if get_origin(first) is Literal:
        return f'{key} = "{get_args(first)[0]}"'
    return f"{key} = " + {bool: "true", int: "1", float: "1.0"}.get(first, '"…"')


@dataclass
class Tables:
    """Reads the tables of one file and remembers what is wrong with them.

    `environ` is where `{ env = … }` looks; `base` is the folder that relative paths start from.
    """

    file: Path
    base: Path
    environ: Mapping[str, str]
    #: Keys of the other tables, each with the table where it belongs.
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    plain_secrets: list[str] = field(default_factory=list)

    def fault(self, table: str, key: str, text: str) -> None:
        """Remember one fault; `table` is without brackets, `key` may be empty."""
        self.faults.append(self._line(table, key, text))

    def warn(self, table: str, key: str, text: str) -> None:
        """Remember what works and should still be seen by the operator."""
        self.warnings.append(self._line(table, key, text))

    def _line(self, table: str, key: str, text: str) -> str:
        brackets = f"[{table}]" if table and not table.startswith("[") else table
        place = " ".join(part for part in (brackets, key) if part)
        line = f"{self.file}: {place}: {text}" if place else f"{self.file}: {text}"
        # A quoted key may hold anything; one fault stays one line.
        return "".join(letter if letter.isprintable() else "?" for letter in line)

    def unknown(self, table: str, key: str, known: Iterable[str]) -> None:
        """Refuse a key with the table where it belongs, or else the nearest known one."""
        if place := self.elsewhere.get(key):
            self.fault(table, key, f"does not belong here, but in {place}")
        else:
            self.fault(table, key, f"unknown key; {nearest(key, known)}")

    def read(self, model: type[M], table: Any, where: str) -> M | None:
        """Validate `table` (of any type) as `model`; None when there were faults, which are then remembered."""
        if not isinstance(table, dict):
            self.fault(where, "", "must be a table")
            return None
        before = len(self.faults)
        unresolved: set[tuple[str, ...]] = set()
        data = self._resolve(model, table, where, unresolved, ())
        try:
            settings = model.model_validate(data, context={"base": self.base})
        except ValidationError as error:
            entries = error.errors(include_input=False, include_url=False)
            # A misspelt key comes before the one that is missing because of it.
            for entry in sorted(entries, key=lambda entry: entry["type"] != "extra_forbidden"):
                if tuple(str(part) for part in entry["loc"]) not in unresolved:
                    self._explain(model, entry, where)
            return None
        return settings if len(self.faults) == before else None

    # ---- secrets ----

    def _resolve(
        self, model: type[BaseModel], table: dict[str, Any], where: str, unresolved: set[tuple[str, ...]], path: tuple[str, ...]
    ) -> dict[str, Any]:
        """A copy of `table` in which every secret is the text itself."""
        data = dict(table)
        for key, value in table.items():
            if (info := model.model_fields.get(key)) is None:
                continue
            nested = _nested(info)
            if isinstance(value, bool) and _is_number(info):
                # pydantic would take true for 1.
                self.fault(where, key, f"must be a {'whole ' if int in _leaves(info.annotation) else ''}number, without quotes")
                unresolved.add((*path, key))
            if nested is not None and isinstance(value, dict):
                data[key] = self._resolve(nested, value, f"{where}.{key}", unresolved, (*path, key))
            elif _is_secret(info) and isinstance(value, list) and _is_list(info.annotation):
                found = [self._secret(item, where, key) for item in value]
                data[key] = [text for text in found if text is not None]
                if None in found:
                    unresolved.add((*path, key))
            elif _is_secret(info) and not _is_list(info.annotation):
                data[key] = self._secret(value, where, key)
                if data[key] is None:
                    unresolved.add((*path, key))
        return data

    def _secret(self, value: Any, where: str, key: str) -> str | None:
        """The text of one secret, or None after a fault."""
        match value:
            case str() if (fault := reference(value, self.environ)) is not None:
                self.fault(where, key, fault)
                return None
            case str():
                if f"{where}.{key}" not in self.plain_secrets:
                    self.plain_secrets.append(f"{where}.{key}")
                text: str | None = value
            case {"env": str(name), **rest} if not rest:
                text = self._from_environment(name, where, key)
            case {"file": str(name), **rest} if not rest:
                text = self._from_file(name, where, key)
            case _:
                self.fault(where, key, f"must be {HOW_TO_GIVE}")
                return None
        return None if text is None or not self._usable(text, where, key) else text

    def _from_environment(self, name: str, where: str, key: str) -> str | None:
        text, variable = self.environ.get(name), f"the environment variable {shown(name)}"
        if text is None and not looks_like_a_variable(name):
            fix = 'write the name there, such as { env = "HUBSPOT_TOKEN" }, and put the secret into that variable'
            self.fault(where, key, f"{variable} is not set; {fix}")
        elif text is None:
            self.fault(where, key, f"{variable} is not set; set it where connector is started")
        elif not text:
            self.fault(where, key, f"{variable} is empty; give it the secret")
        return text or None

    def _from_file(self, name: str, where: str, key: str) -> str | None:
        path, file = self.base / name, file_shown(self.base, name)
        try:
            with path.open("rb") as stream:
                raw = stream.read(MAX_SECRET_FILE + 1)
            text = raw.decode("utf-8-sig")
        except FileNotFoundError:
            self.fault(where, key, f"{file} does not exist; create it with the secret in it, and give its path")
        except UnicodeDecodeError:
            self.fault(where, key, f"{file} is not UTF-8 text; put nothing but the secret into it")
        except (OSError, ValueError) as error:
            self.fault(where, key, f"{file} cannot be read ({reason(error)}); correct its path or permissions")
        else:
            if len(raw) > MAX_SECRET_FILE:
                self.fault(where, key, f"{file} is too large for a secret; is it the right one?")
                return None
            text = text.removesuffix("\n").removesuffix("\r")
            if text:
                return text
            self.fault(where, key, f"{file} is empty; put the secret into it")
        return None

    def _usable(self, text: str, where: str, key: str) -> bool:
        """Whether the secret can be sent in a header at all; what cannot would only fail later and less clearly."""
        if not text.strip():
            self.fault(where, key, "is empty; give the secret")
        elif not (text.isprintable() or (key in SEVERAL_LINES and text.replace("\n", "").replace("\r", "").isprintable())):
            self.fault(where, key, "holds a line break or a control character; give the secret alone")
        elif not text.isascii() and key != "secrets":  # signing secrets are hashed, never sent
            self.fault(where, key, "holds a character that a header cannot carry; give the secret as it was issued")
        else:
            if text != text.strip():
                self.warn(where, key, "begins or ends with a space; remove it unless it belongs to the secret")
            if len(text) > 1 and text[0] in "\"'" and text[0] == text[-1]:
                # Docker's `--env-file` and some YAML files hand on the quotes that a shell would take away.
                self.warn(where, key, "begins and ends with a quote; remove both unless they belong to the secret")
            return True
        return False

    # ---- pydantic's errors in our words ----

    def _explain(self, model: type[BaseModel], entry: Any, where: str) -> None:
        """Turn one pydantic error into a fault."""
        table, key, known, info = where, "", dict(model.model_fields), None
        for part in entry["loc"]:
            if info is not None and (nested := _nested(info)) is not None and isinstance(part, str):
                table, key, known = f"{table}.{key}", "", dict(nested.model_fields)
            if isinstance(part, int):
                key += f"[{part}]"
            elif not key:
                key, info = part, known.get(part)
        if entry["type"] == "extra_forbidden":
            self.unknown(table, key, known)
        else:
            self.fault(table, key, sentence(entry, key, info))


def sentence(entry: Any, key: str, info: FieldInfo | None) -> str:
    """What one pydantic error says of a key, in our words."""
    kind, context = entry["type"], entry.get("ctx") or {}
    if kind == "missing":
        return f"is missing; add it, for example: {_example(key, info)}"
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", "is not valid"))
    if kind == "string_too_short" and context.get("min_length") == 1:
        return "must not be empty"
    if kind in SENTENCES:
        text = SENTENCES[kind].format(**context)
        return text.replace(" or ", ", ").replace("'", '"') if kind == "literal_error" else text
    return "is not valid" if info is not None and _is_secret(info) else str(entry["msg"])
