"""Routes about the catalogue and the service day. Decides nothing."""

from __future__ import annotations

from fastapi import FastAPI

from hall_daemon.cataloguing import Cataloguing, Kept
from hall_daemon.clock import rfc3339
from hall_daemon.hall import Hall
from hall_daemon.protocol import Done, Text
from hall_daemon.protocol_day import (
    CatalogueEntry,
    CatalogueFinding,
    CatalogueView,
    DecideCatalogue,
    ResumeItem,
    SuspendedItem,
    SuspendItem,
)  # fmt: skip
from hall_daemon.texts import text

MOST_FINDINGS = 50


def add_routes(app: FastAPI, hall: Hall, cataloguing: Cataloguing) -> None:
    """Everything below /catalogue."""

    @app.get("/catalogue")
    async def catalogue() -> CatalogueView:
        return await _view(hall, cataloguing)

    @app.post("/catalogue/{version}/approve")
    async def approve(version: int, order: DecideCatalogue) -> CatalogueEntry:
        return _entry(await cataloguing.approve(version, order.by))

    @app.post("/catalogue/{version}/reject")
    async def reject(version: int, order: DecideCatalogue) -> CatalogueEntry:
        return _entry(await cataloguing.reject(version, order.by))

    @app.post("/catalogue/items/{item}/suspend")
    async def suspend(item: str, order: SuspendItem) -> Done:
        return Done(event=await cataloguing.suspend(item, order.by, order.reason))

    @app.post("/catalogue/items/{item}/resume")
    async def resume(item: str, order: ResumeItem) -> Done:
        return Done(event=await cataloguing.resume(item, order.by))


async def _view(hall: Hall, cataloguing: Cataloguing) -> CatalogueView:
    profile, reasons = hall.profile, await cataloguing.suspensions()
    stranded = await cataloguing.stranded()
    shut = [item.code for item in profile.items.values() if item.suspended]
    return CatalogueView(
        version=profile.catalog_version,
        items=sum(bool(item.codes) for item in profile.items.values()),
        entries=tuple(_entry(kept) for kept in await cataloguing.kept()),
        suspended=tuple(
            SuspendedItem(
                item=code, name=_name(hall, code, tuple(t.item.name for t in stranded.get(code, ()))),
                by_hall=code in reasons, reason=reasons.get(code, ""),
                waiting=tuple(ticket.number for ticket in stranded.get(code, ())),
            )
            for code in dict.fromkeys((*shut, *stranded))
        ),
        unplaced=tuple(item.code for item in profile.items.values() if not profile.windows_for(item.queue)),
    )  # fmt: skip


def _name(hall: Hall, code: str, of_tickets: tuple[Text, ...]) -> Text:
    """As it is now; of an item that is gone, as its tickets have it."""
    item = hall.profile.items.get(code)
    return item.name if item is not None else next(iter(of_tickets), Text(zh=code))


def _entry(kept: Kept) -> CatalogueEntry:
    return CatalogueEntry(
        version=kept.version, source="file" if kept.source == "file" else "province", state=kept.state.value,
        state_text=text(f"catalogue.state.{kept.state.value}"), urgent=kept.urgent, effective_at=kept.effective_at,
        content_sm3=kept.content_sm3, received=rfc3339(kept.received_ms),
        activated=rfc3339(kept.activated_ms) if kept.activated_ms is not None else "",
        decided_by=kept.decided_by or "",
        findings=tuple(
            CatalogueFinding(code=f.code, subject=f.subject, text=f.sentence) for f in kept.findings[:MOST_FINDINGS]
        ),
        more_findings=max(0, len(kept.findings) - MOST_FINDINGS),
    )  # fmt: skip
