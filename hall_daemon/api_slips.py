"""HTTP face for a slip that is printed again at the guide's desk: any kiosk's printer makes it (faults.md A03)."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request

from hall_daemon.kiosk import KioskFlow
from hall_daemon.protocol_technician import PrintAgain, SlipAgain
from hall_daemon.tickets import NotFound


def add_routes(app: FastAPI, kiosks: Mapping[str, KioskFlow]) -> None:
    """One verb below /tickets, for whoever may use those."""

    @app.post("/tickets/{number}/slip")
    async def print_again(number: str, order: PrintAgain, request: Request) -> SlipAgain:
        if order.kiosk not in kiosks:
            raise NotFound(what=order.kiosk)
        result, reason = await kiosks[order.kiosk].core.desk.print_for_staff(number, request.state.actor)
        return SlipAgain(number=number, result=result, reason=reason)
