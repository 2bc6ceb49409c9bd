"""HTTP face of the voice: clips, sentences and calls as WAV files. Nothing personal, so no token is needed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from fastapi import FastAPI, Request, Response

from hall_daemon.board import Emergency
from hall_daemon.kiosk_voice import WORDS
from hall_daemon.protocol_board import CalledNumber, SetEmergency
from hall_daemon.tickets import NotFound
from hall_daemon.voice import Voice
from hall_daemon.voice_clips import Language, NoSound

_NAME = re.compile(r"[A-Za-z0-9._-]{1,60}")
_FACT = re.compile(r"[A-Za-z0-9]{1,12}")
AT_ONCE = 2
"""Sentences that are made at the same time; the rest of the machine belongs to the hall."""


def add_emergency(app: FastAPI, emergency: Emergency) -> None:
    """`POST /emergency`: every board turns red, and the voice is silent, until it is taken back."""

    @app.post("/emergency", status_code=204)
    async def set_emergency(order: SetEmergency) -> None:
        await asyncio.to_thread(emergency.keep, on=order.on)
        emergency.changed()


def add_routes(app: FastAPI, voice: Voice, calls: Callable[[], list[CalledNumber]]) -> None:
    """`/voice/calls/<event>.wav` speaks a call, `/voice/<code>.<zh|en>.wav?fact=` a sentence or a clip."""
    making = asyncio.Semaphore(AT_ONCE)

    async def made(make: Callable[[], bytes]) -> Response:
        async with making:
            try:
                sound = await asyncio.to_thread(make)
            except NoSound as exc:
                raise NotFound(what=str(exc)) from exc
        return Response(sound, media_type="audio/wav", headers={"Cache-Control": "no-cache"})

    @app.get("/voice/calls/{event}.wav", response_class=Response)
    async def call(event: int, *, short: bool = False) -> Response:
        found = next((c for c in calls() if c.event == event), None)
        if found is None:
            raise NotFound(what=f"call {event}")
        return await made(lambda: voice.call(found.number, found.window, found.zone, short=short))

    @app.get("/voice/{name}.{language}.wav", response_class=Response)
    async def sentence(name: str, language: Language, request: Request) -> Response:
        facts = dict(request.query_params)
        # What a page says in its own words is asked for by its kiosk (api.py), not written into an address.
        if (
            name == WORDS
            or not _NAME.fullmatch(name)
            or not all(_NAME.fullmatch(k) and _FACT.fullmatch(v) for k, v in facts.items())
        ):
            raise NotFound(what="such a sentence")
        if name.startswith("voice.") and "-" not in name:
            return await made(lambda: voice.sentence(name, facts, language))
        return await made(lambda: voice.clip(f"{name}.{language}.wav"))
