"""What tells a child from a parent of the same name: "jun.", "III", "the younger", "ifj.". Pure."""

from __future__ import annotations

from connector.sync.person.tables import GENERATIONS, GENERATIONS_ALSO_NAMES, GENERATIONS_IN_FRONT


def is_written_as_generation(first: str) -> bool:
    """Tell "Hans jun." from "Min Jun" and "Ye-Jun", which are Korean given names."""
    words = first.split()
    last = words[-1] if words else ""
    if not last.lower().endswith(("jun", "sen")):
        return True
    return last.islower() and len(words) > 1 and not words[0].islower()


def read_generation(words: list[str], *, others: list[str]) -> tuple[list[str], str]:
    """The words without a generation (at the end; Hungarian: in front), and the generation; `others`: the other field."""
    if len(words) > 1 and words[0] in GENERATIONS_IN_FRONT:
        return words[1:], GENERATIONS[words[0]]
    if not words or words[-1] not in GENERATIONS:
        return words, ""
    alone = len(words) == 1
    if alone and (not others or words[-1] in GENERATIONS_ALSO_NAMES):
        return words, ""
    article = words[-2:-1] in (["the"], ["der"], ["die"])
    return words[: -2 if article else -1], GENERATIONS[words[-1]]
