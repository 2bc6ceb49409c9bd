"""Routes and gate for the people at the windows: tokens, sessions, accounts, pauses, notes, messages. Decides nothing.

The gate stands before every route: a token or a person's session opens a path, a session opens the verbs of its
window. It is plain ASGI, because a hundred screens keep a stream open through it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import unquote

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hall_daemon import access
from hall_daemon.access import Role
from hall_daemon.accounts import Accounts
from hall_daemon.api_streams import follow, lines
from hall_daemon.desk import Desk
from hall_daemon.hall import Bell, Hall
from hall_daemon.protocol import Done, Problem, Text
from hall_daemon.protocol_clerks import (
    AccountView,
    CallFor,
    Messages,
    NewAccount,
    NewPin,
    PauseWindow,
    PersonSession,
    PersonSignIn,
    SendMessage,
    SignedIn,
    SignIn,
    Skills,
    TakeNote,
    Tick,
)  # fmt: skip
from hall_daemon.texts import text
from hall_daemon.tickets import HallError

SESSION = b"x-hall-session"
_UNTIED = frozenset({"sign-in", "views"})
"""Below a window, but before or without a session."""
_IN_ONES_NAME = ("/messages", "/pads")
"""What is done there is written down with who did it: an old session is not taken for the machine's own user."""


class Gate:
    """Lets pass what may pass; `tokens` empty: loopback only, every path is open."""

    def __init__(self, app: ASGIApp, accounts: Accounts, tokens: Mapping[str, str]) -> None:
        self._app, self._accounts, self._tokens = app, accounts, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            scope["state"] = scope.get("state", {}) | {"actor": "technician"}
            refusal = self._closed(scope, headers) or await self._not_theirs(scope, headers)
            if refusal is not None:
                await _answer(send, *refusal)
                return
        await self._app(scope, receive, send)

    def _closed(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[str, str, Text] | None:
        """By path: the token of a screen or the session of a person."""
        path: str = scope["path"]
        bearer = headers.get(b"authorization", b"").decode("latin-1")
        person = self._accounts.person(bearer.removeprefix("Bearer ")) if bearer else None
        if person is not None:
            scope["state"]["actor"] = person.number
            role: Role | None = person.role
        else:
            role = access.screen_of(bearer, self._tokens) if self._tokens else None
            scope["state"]["actor"] = role.value if role else "technician"
        if bearer and person is None and not self._tokens and path.startswith(_IN_ONES_NAME):
            return "hall.session_over", "a session that is over", text("hall.session_over")
        if access.is_open(path) or (not self._tokens and person is None):
            return None
        if role is None and path == "/people/sign-in":
            return None
        if role is None or not access.may_use(role, path):
            return "request.not_allowed", "no token, or not one for this", text("request.not_allowed")
        return None

    async def _not_theirs(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[str, str, Text] | None:
        """By window: the session of the screen where the clerk signed in."""
        _, _, rest = scope["path"].partition("/windows/")
        window, _, verb = rest.partition("/")
        if scope["method"] != "POST" or scope["path"][:9] != "/windows/" or not verb or verb in _UNTIED:
            return None
        try:
            await self._accounts.check(unquote(window), headers.get(SESSION, b"").decode("latin-1"), verb)
        except HallError as exc:
            return exc.code, str(exc), exc.sentence
        return None


async def _answer(send: Send, code: str, detail: str, sentence: Text) -> None:
    status = 403 if code == "not_your_role" else 401
    body = json.dumps(Problem(code=code, detail=detail, text=sentence).model_dump(), ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def add_routes(app: FastAPI, hall: Hall, accounts: Accounts, desk: Desk, stopping: Bell) -> None:
    """Everything about the people of the hall."""
    _sessions(app, hall, accounts)
    _at_window(app, desk)
    _accounts(app, accounts)
    _messages(app, hall, desk, stopping)


def _sessions(app: FastAPI, hall: Hall, accounts: Accounts) -> None:
    @app.post("/windows/{window}/sign-in")
    async def sign_in(window: str, order: SignIn) -> SignedIn:
        return await accounts.sign_in(window, order.clerk, order.pin, take_over=order.take_over)

    @app.post("/windows/{window}/sign-out")
    async def sign_out(window: str) -> Done:
        return Done(event=await hall.sign_out(window))

    @app.post("/windows/{window}/here")
    async def here(window: str) -> Done:
        """Somebody is at the screen; that the gate has let it pass is what counts."""
        await hall.clerk_at(window)
        return Done(event=0)

    @app.post("/people/sign-in")
    async def person_sign_in(order: PersonSignIn) -> PersonSession:
        return await accounts.sign_in_person(order.number, order.pin)

    @app.post("/people/sign-out", status_code=204)
    async def person_sign_out(request: Request) -> None:
        accounts.sign_out_person(request.headers.get("authorization", "").removeprefix("Bearer "))


def _at_window(app: FastAPI, desk: Desk) -> None:
    @app.post("/windows/{window}/pause")
    async def pause(window: str, order: PauseWindow) -> Done:
        return Done(event=await desk.pause(window, order.reason, order.minutes))

    @app.post("/windows/{window}/go-on")
    async def go_on(window: str) -> Done:
        return Done(event=await desk.go_on(window))

    @app.post("/windows/{window}/note")
    async def note(window: str, order: TakeNote) -> Done:
        return Done(event=await desk.note(window, order.seen, order.words))

    @app.post("/windows/{window}/tick")
    async def tick(window: str, order: Tick) -> Done:
        return Done(event=await desk.tick(window, order))

    @app.post("/windows/{window}/call-for")
    async def call_for(window: str, order: CallFor) -> Done:
        return Done(event=await desk.call_for(window, order.to, order.words))

    @app.post("/windows/{window}/messages/{message}/ack")
    async def read(window: str, message: str) -> Done:
        return Done(event=await desk.read_at(window, message))


def _accounts(app: FastAPI, accounts: Accounts) -> None:
    @app.get("/accounts")
    async def views() -> tuple[AccountView, ...]:
        return await accounts.views()

    @app.post("/accounts")
    async def add(request: Request, new: NewAccount) -> Done:
        return Done(event=await accounts.add(new, request.state.actor))

    @app.post("/accounts/{number}/pin")
    async def pin(request: Request, number: str, order: NewPin) -> Done:
        return Done(event=await accounts.set_pin(number, order.pin, request.state.actor))

    @app.post("/accounts/{number}/skills")
    async def skills(request: Request, number: str, order: Skills) -> Done:
        return Done(event=await accounts.set_skills(number, order.skills, request.state.actor))

    @app.post("/accounts/{number}/lock")
    async def lock(request: Request, number: str) -> Done:
        return Done(event=await accounts.lock(number, request.state.actor))

    @app.post("/accounts/{number}/unlock")
    async def unlock(request: Request, number: str) -> Done:
        return Done(event=await accounts.unlock(number, request.state.actor))


def _messages(app: FastAPI, hall: Hall, desk: Desk, stopping: Bell) -> None:
    async def waiting() -> Messages:
        return Messages(messages=desk.calls())

    @app.get("/messages")
    async def calls() -> Messages:
        return await waiting()

    @app.get("/messages/views", response_model=Messages)
    async def views() -> StreamingResponse:
        return lines(follow(waiting, hall.changed, stopping))

    @app.post("/messages")
    async def send(request: Request, order: SendMessage) -> Done:
        return Done(event=await desk.send(request.state.actor, order.window, order.words))

    @app.post("/messages/{message}/ack")
    async def acknowledge(request: Request, message: str) -> Done:
        return Done(event=await desk.acknowledge(message, request.state.actor))
