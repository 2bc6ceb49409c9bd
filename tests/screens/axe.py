"""axe-core, accessibility rules that nobody here wrote, on a page under test; without it the test is skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

AXE = Path(__file__).parents[1] / "axe" / "node_modules" / "axe-core" / "axe.min.js"
CONTRAST = Path(__file__).with_name("contrast_faults.js").read_text(encoding="utf-8")
LEAST_CONTRAST = 7.0
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "rules": {"color-contrast-enhanced": {"enabled": True}, "target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}
"""WCAG 2.2 level AA, and of level AAA the rule about contrast."""
OF_STYLE = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "color-contrast-enhanced", "target-size"]},
    "resultTypes": ["violations"],
}
"""Those of them that depend on how a page is drawn, not on what it is made of."""


def take_axe(page: Page) -> None:
    """Load it into the page that is open."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed here (sh .ci/axe)")
    page.add_script_tag(path=AXE)


def violations(page: Page, rules: dict[str, Any] | None = None) -> list[str]:
    """What axe-core finds, one line each."""
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, rules)", rules or RULES)
    return [f"{one['id']}: {node['html'][:90]}" for one in found["violations"] for node in one["nodes"]]
