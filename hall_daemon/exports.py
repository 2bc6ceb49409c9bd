"""The figures of a day as a table: CSV and XLSX. Pure: figures in, bytes out.

CSV is UTF-8 with a byte order mark: every spreadsheet program of the last twenty years opens it rightly by a double
click, also with characters that stand in the four-byte part of GB 18030, which the local code page of an older machine
would lose. Who must have GB 18030 asks for it; GB 18030 writes every character there is, so nothing is lost either way.
A cell that begins like a formula is text (a name may begin with = and must not run).

Source: GB/T 39046 (text files: the encoding is said explicitly); OWASP, CSV Injection.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Literal

from hall_daemon.figures import Group
from hall_daemon.protocol import Text
from hall_daemon.texts import text

Encoding = Literal["utf-8", "gb18030"]
Cell = str | int | float | None
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = (
    "day", "part", "code", "name", "issued", "finished", "waiting", "missed", "left", "mean_wait", "median_wait",
    "p90_wait", "longest_wait", "mean_serving", "on_the_spot", "taken_in", "supplement", "rated", "satisfied",
)  # fmt: skip


def table(day: str, parts: Iterable[tuple[str, Text, Group]]) -> list[list[Cell]]:
    """Headings in Chinese, then a line a group: `(kind of part, name, figures)`."""
    lines: list[list[Cell]] = [[text(f"figures.{column}").zh for column in COLUMNS]]
    for part, name, g in parts:
        lines.append(
            [
                day, text(f"figures.{part}").zh, g.code, name.zh, g.issued, g.finished, g.waiting, g.missed, g.left,
                _tenth(g.mean_wait_min), _tenth(g.median_wait_min), _tenth(g.p90_wait_min), _tenth(g.longest_wait_min),
                _tenth(g.mean_serving_min), g.on_the_spot, g.taken_in, g.supplement, g.rated, g.satisfied,
            ]
        )  # fmt: skip
    return lines


def _tenth(minutes: float | None) -> float | None:
    return None if minutes is None else round(minutes, 1)


def harmless(cell: Cell) -> Cell:
    """The same, as a text that no spreadsheet takes for a formula, without control characters."""
    if not isinstance(cell, str):
        return cell
    plain = "".join(c for c in cell if c >= " " or c == "\t")
    return "'" + plain if plain.startswith(_FORMULA) else plain


def as_csv(lines: Sequence[Sequence[Cell]], encoding: Encoding = "utf-8") -> bytes:
    """With CRLF, as RFC 4180 says. A lone surrogate, which is no character, becomes a question mark."""
    out = io.StringIO()
    writer = csv.writer(out)
    for line in lines:
        writer.writerow([harmless(cell) for cell in line])
    return out.getvalue().encode("utf-8-sig" if encoding == "utf-8" else encoding, "replace")


def as_xlsx(lines: Sequence[Sequence[Cell]], sheet: str) -> bytes:
    """One sheet with a frozen heading; cells are texts and numbers, never formulas."""
    # Loaded when somebody wants a sheet: the daemon starts quicker without.
    from openpyxl import Workbook  # noqa: PLC0415
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415
    from openpyxl.styles import Alignment, Font  # noqa: PLC0415
    from openpyxl.utils import get_column_letter  # noqa: PLC0415

    book = Workbook(write_only=True)
    page = book.create_sheet(sheet[:31])
    page.freeze_panes = "A2"
    for place, heading in enumerate(lines[0], start=1):
        page.column_dimensions[get_column_letter(place)].width = max(10.0, 2.2 * len(str(heading)))
    for row, line in enumerate(lines):
        cells = []
        for value in line:
            safe = harmless(value)
            cell = WriteOnlyCell(page, value=safe)
            if isinstance(safe, str):
                cell.data_type = "s"  # openpyxl would make a formula of a text that begins with =
            if row == 0:
                cell.font, cell.alignment = Font(bold=True), Alignment(wrap_text=True)
            cells.append(cell)
        page.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
