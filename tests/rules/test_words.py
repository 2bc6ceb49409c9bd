"""One thing, one word: names in the programs use the hall's words and none of the synonyms that would confuse.

The words are those of the architecture (§3). Listed here is what somebody might write instead and mean the same; words
that also have an honest other meaning in these rooms are left out.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("hall_daemon", "drivers", "kiosk_ui")

INSTEAD_OF = {
    # the hall's word: what is not written for it; phrases are parts of a name, joined by _
    "resident": "customer visitor patron guest applicant caller_person",
    "clerk": "teller cashier attendant employee worker_id",
    "technician": "maintainer sysadmin engineer",
    "kiosk": "ticket_machine take_machine self_service_terminal",
    "window": "counter_no counter_number counter_id booth desk_no window_no seat",
    "number": "queue_number queue_no client_no wait_no call_number",
    "slip": "receipt voucher coupon chit",
    "queue": "waitlist business_line",
    "issue": "take_number draw_number dispense",
    "recall": "call_again re_call second_call",
    "no_show": "absentee skip_number pass_number overdue_number missed_ticket",
    "requeue": "re_queue queue_again reinsert",
    "park": "hang_ticket suspend_ticket shelve pause_ticket",
    "transfer": "reroute handover hand_over switch_window forward_ticket",
    "finish": "complete_ticket close_ticket end_service",
    "cancel": "revoke_ticket void_ticket abandon",
    "bizdate": "business_date biz_date business_day service_date",
    "material": "attachment",
    "twin": "simulator emulator mock fake dummy",
    "condition": "malfunction",
    "device": "peripheral gadget",
    "hall board": "main_screen big_screen main_display",
    "window display": "led_screen led_panel",
    "bench": "test_rig",
}
LEGITIMATE = {"SIMULATOR", "display_customer", "applicant_kind"}
"""`Proven.SIMULATOR` says how far a driver has been shown to work; customer display is the trade's word; the kind of
applicant is a member of the province's events."""


def parts(name: str) -> str:
    """A name as its words: `callNext`, `CallNext` and `_call_next` are all `_call_next_`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return f"_{words.strip('_')}_"


def defined(tree: ast.Module) -> Iterator[str]:
    """Names that the program itself chose; those of libraries are theirs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def names() -> Iterator[tuple[str, str]]:
    """File and name."""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*")):
            where = str(file.relative_to(ROOT))
            if file.suffix == ".py":
                yield where, file.stem
                yield from ((where, name) for name in defined(ast.parse(file.read_text(encoding="utf-8"))))
            elif file.suffix == ".js":
                written = re.sub(r"//.*|/\*.*?\*/|\"[^\"]*\"|'[^']*'", "", file.read_text(encoding="utf-8"))
                yield from ((where, name) for name in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", written))


@pytest.fixture(scope="module")
def all_names() -> dict[str, set[str]]:
    """Name, as its words → files."""
    found: dict[str, set[str]] = {}
    for file, name in names():
        if name not in LEGITIMATE:
            found.setdefault(parts(name), set()).add(file)
    assert len(found) > 1000
    return found


@pytest.mark.parametrize("word", INSTEAD_OF)
def test_a_thing_has_one_word(word: str, all_names: dict[str, set[str]]) -> None:
    wrong = {
        name.strip("_"): sorted(files)
        for name, files in all_names.items()
        for synonym in INSTEAD_OF[word].split()
        if f"_{synonym}_" in name or f"_{synonym}s_" in name
    }

    assert wrong == {}, f"say {word}"


@pytest.mark.parametrize(
    ("name", "words"), [("callNext", "_call_next_"), ("_Person", "_person_"), ("QUEUE_NO", "_queue_no_"), ("a", "_a_")]
)
def test_names_are_compared_word_by_word(name: str, words: str) -> None:
    assert parts(name) == words


def test_names_that_are_defined_are_found() -> None:
    program = "class Teller:\n    def issue(self, customer):\n        receipt = self.seat = customer.name"

    assert sorted(defined(ast.parse(program))) == ["Teller", "customer", "issue", "receipt", "seat", "self"]
