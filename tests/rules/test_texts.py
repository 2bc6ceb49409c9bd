"""Every sentence: both languages, the same facts, Chinese as Chinese is printed, asked for by somebody, and there."""

import ast
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from hall_daemon import texts, texts_counter, texts_kiosk, tickets
from hall_daemon.texts import TEXTS, text
from hall_daemon.tickets import HallError
from hall_daemon.words import TicketState

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"[a-z_]+(\.[a-z_0-9]+)+")
SPEAKERS = ("text", "say")
SCREENS = ("counter.", "technician.")
"""Stand before every code of a terminal screen, whose files leave it out."""


def sources() -> Iterator[Path]:
    """What may say something: programs and pages, not the tables themselves."""
    for folder in ("hall_daemon", "kiosk_ui"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in (".py", ".js", ".html") and not file.name.startswith("texts"):
                yield file


@cache
def said() -> tuple[frozenset[str], tuple[re.Pattern[str], ...]]:
    """Codes that stand in the sources, and patterns of those that are put together there."""
    constants: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for file in sources():
        content = file.read_text(encoding="utf-8")
        prefixes = ("", *SCREENS) if file.parent.name == "kiosk_ui" else ("",)
        if file.suffix != ".py":
            constants |= {match.group() for match in CODE.finditer(content)}
            continue
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                constants |= {prefix + node.value for prefix in prefixes}
            elif isinstance(node, ast.JoinedStr) and (pattern := put_together(node)):
                patterns += [re.compile(re.escape(prefix) + pattern) for prefix in prefixes]
    return frozenset(constants), tuple(patterns)


def put_together(node: ast.JoinedStr) -> str:
    """`f"hall.{code}"` as a pattern; empty for what cannot be a code."""
    parts = [str(v.value) if isinstance(v, ast.Constant) else None for v in node.values]
    if not parts or parts[0] is None or not re.fullmatch(r"[a-z_]+\.[a-z_.]*", parts[0]):
        return ""
    return "".join("[a-z_0-9]+" if part is None else re.escape(part) for part in parts)


def asked_for() -> Iterator[tuple[str, str]]:
    """File and code of every sentence that is asked for by its whole code."""
    for file in sources():
        if file.suffix == ".py":
            yield from ((file.name, code) for code in codes_in(ast.parse(file.read_text(encoding="utf-8"))))


def codes_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0]
            if name in SPEAKERS and isinstance(first, ast.Constant) and CODE.fullmatch(str(first.value)):
                yield str(first.value)


def fields(sentence: str) -> set[str]:
    """Facts that a sentence asks for."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_every_sentence_that_is_asked_for_exists() -> None:
    asked = list(asked_for())

    assert len(asked) > 100, "the search finds what it looks for"
    assert [(file, code) for file, code in asked if not any(p + code in TEXTS for p in ("", *SCREENS))] == []


def test_no_sentence_is_left_that_nobody_says() -> None:
    constants, patterns = said()

    assert [c for c in TEXTS if c not in constants and not any(p.fullmatch(c) for p in patterns)] == []


def test_every_refusal_and_every_state_has_its_sentence() -> None:
    refusals = {cls.code for cls in vars(tickets).values() if isinstance(cls, type) and issubclass(cls, HallError)}

    assert {f"hall.{code}" for code in refusals} <= TEXTS.keys()
    assert {f"state.{state}" for state in TicketState} <= TEXTS.keys()


ROOMS = sorted({code.partition(".")[0] for code in TEXTS})
"""A test for each of fifteen hundred sentences would cost more than what it looks at."""


def sentences(room: str) -> Iterator[tuple[str, str, str]]:
    return ((code, zh, en) for code, (zh, en) in TEXTS.items() if code.startswith(f"{room}."))


@pytest.mark.parametrize("room", ROOMS)
def test_a_sentence_says_the_same_in_both_languages(room: str) -> None:
    for code, zh, en in sentences(room):
        assert bool(zh) == bool(en), code
        assert fields(en) <= fields(zh), code
        assert text(code, **dict.fromkeys(fields(zh), "?")).zh == re.sub(r"\{[a-z_]+\}", "?", zh), code


@pytest.mark.parametrize("room", ROOMS)
def test_chinese_is_written_as_chinese_and_english_as_english(room: str) -> None:
    for code, zh, en in sentences(room):
        assert not re.search(r"[\u4e00-\u9fff][,.!?;:()]|[,!?;:()][\u4e00-\u9fff]", zh), (
            f"{code}: full-width punctuation"
        )
        assert not re.search(r"[，。！？；：（）、“”]", en), code
        assert code == "kiosk.help.language" or not re.search(r"[\u4e00-\u9fff]", en), code
        assert "!" not in zh + en, f"{code}: a hall does not shout"
        assert "！" not in zh, code
        assert "你" not in zh, f"{code}: polite 您"
        assert (zh, en) == (zh.strip(), en.strip()), code


def test_every_sentence_is_looked_at() -> None:
    assert sum(len(list(sentences(room))) for room in ROOMS) == len(TEXTS)


def test_codes_are_lower_case_words_and_stand_in_one_table() -> None:
    assert all(CODE.fullmatch(code) for code in TEXTS)
    with pytest.raises(ValueError, match=r"defined twice: counter\.window"):
        texts._merge(texts_kiosk.TEXTS, texts_counter.TEXTS, {"counter.window": ("", "")})


def test_an_unknown_code_or_a_missing_fact_is_a_bug() -> None:
    with pytest.raises(KeyError, match=r"no\.such\.code"):
        text("no.such.code")
    with pytest.raises(KeyError, match="what"):
        text("hall.not_found")


def test_facts_are_taken_as_they_are() -> None:
    assert text("hall.not_found", what="{what} 100%").zh == "没有找到 {what} 100%。"
