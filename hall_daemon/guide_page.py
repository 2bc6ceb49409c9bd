"""The page behind the QR code of a guide: what is published about an item, to take along on a phone.

Says of an item what the kiosk's guide says, and nothing of anybody; the same for everyone who asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from hall_daemon.kiosk_pages_choose import published_facts, to_bring
from hall_daemon.profile import HallProfile, Item
from hall_daemon.protocol import Text
from hall_daemon.texts import text

MARK = "<!--guide-->"
"""Stands in the page's file where the item goes."""


def guide_page(frame: str, profile: HallProfile, item: Item) -> str:
    """The file `frame` with an item's published facts in it."""
    parts = [
        f"<header><span>{_both(profile.hall)}</span></header>",
        f"<h1>{escape(item.name.zh)}</h1>{_english(item.name)}",
        f"<section><h2>{_both(text('kiosk.word.materials'))}</h2><ul>{_listed(to_bring((item,)))}</ul></section>",
        f"<section><dl>{_facts(published_facts(profile, item))}</dl></section>",
    ]
    return frame.replace(MARK, "\n".join(parts))


def _english(words: Text) -> str:
    return f'<small lang="en">{escape(words.en)}</small>' if words.en and words.en != words.zh else ""


def _both(words: Text) -> str:
    return escape(words.zh) + _english(words)


def _listed(words: Iterable[Text]) -> str:
    return "".join(f"<li>{_both(each)}</li>" for each in words)


def _facts(rows: Iterable[tuple[Text, Text]]) -> str:
    return "".join(f"<dt>{escape(label.zh)} {escape(label.en)}</dt><dd>{_both(value)}</dd>" for label, value in rows)
