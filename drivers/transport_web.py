"""Devices that speak HTTP or HTTPS. The only home of the HTTP client of devices.

A device's certificate is one that this machine trusts, or exactly the one that was named by its fingerprint: devices
make their own, for no host name in particular, so neither name nor dates of a pinned certificate are looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import math
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drivers.base import BadReply, LinkError, NoReply
from drivers.transport import Link

if TYPE_CHECKING:
    import httpx
    from httpcore import NetworkBackend, NetworkStream


@dataclass(frozen=True, kw_only=True)
class WebReply:
    """Answer of an HTTP device; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Within:
    """A network stream of the HTTP client that obeys one deadline over everything, and whose certificate is checked.

    The client's own time-outs start anew with each read, so a device that dribbles its headers would never meet them.
    """

    def __init__(self, stream: NetworkStream, left_s: Callable[[], float], check: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._left_s = left_s
        self._check = check
        self.close = stream.close
        self.get_extra_info = stream.get_extra_info

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, min(self._left_s(), timeout or math.inf))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, min(self._left_s(), timeout or math.inf))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _Within:
        limit_s = min(self._left_s(), timeout or math.inf)
        secured = self._stream.start_tls(ssl_context, server_hostname, limit_s)
        try:
            self._check(secured.get_extra_info("ssl_object").getpeercert(True) or b"")
        except LinkError:
            secured.close()
            raise
        return _Within(secured, self._left_s, self._check)


class _WithinBackend:
    """Opens the HTTP client's connections as streams that obey the deadline."""

    def __init__(self, backend: NetworkBackend, left_s: Callable[[], float], check: Callable[[bytes], None]) -> None:
        self._backend = backend
        self._left_s = left_s
        self._check = check

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **more: Any) -> _Within:  # Any: passed on
        limit_s = min(self._left_s(), timeout or math.inf)
        return _Within(self._backend.connect_tcp(host, port, limit_s, **more), self._left_s, self._check)


class WebDevice(Link):
    """A device that speaks HTTP, at a base URL. Opening it costs no traffic."""

    port_form = "http://host:port/path"
    largest_body = 64 * 1024 * 1024

    def __init__(self, port: str) -> None:
        super().__init__(port.rstrip("/"))
        self._closed = threading.Event()
        self._deadline = 0.0
        self._httpx = importlib.import_module("httpx")  # 40 ms and 8 MB that a hall without such a device saves
        self._fingerprint = ""
        self._tls = ssl.create_default_context()
        carrier = self._httpx.HTTPTransport(trust_env=False, verify=self._tls)
        # httpx has no public way to set a deadline over a whole exchange; its pool's network backend does.
        pool = carrier._pool
        pool._network_backend = _WithinBackend(pool._network_backend, self._left_s, self._check_certificate)
        self._client: httpx.Client = self._httpx.Client(transport=carrier, trust_env=False, follow_redirects=False)
        del self._client.headers["accept-encoding"]  # bodies are read as they come, so they must come unpacked

    def trust_only(self, fingerprint: str) -> None:
        """Trust no certificate but the one with this SHA-256 (hex, small letters), whoever signed it."""
        self._fingerprint = fingerprint
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE  # _check_certificate compares instead

    def _check_certificate(self, certificate: bytes) -> None:
        found = hashlib.sha256(certificate).hexdigest()
        if self._fingerprint and found != self._fingerprint:
            raise LinkError(
                f"{self.port}: the device shows another certificate, SHA-256 {found}; if it was reset and this is its "
                "new one, put that into certificate_sha256"
            )

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        limit_s: float,
        silence_s: float | None = None,
        body_matters: bool = True,
    ) -> WebReply:
        """One request; `url` is a path below the base, or absolute. The whole answer comes within limit_s.

        With silence_s, no longer than that without a byte. Without body_matters, a body that is cut short does no harm.
        Raises LinkError (nobody there), NoReply (too slow), BadReply (cut short, or not HTTP).
        """
        target = url if url.startswith(("http://", "https://")) else f"{self.port}/{url.lstrip('/')}"
        self._trace(">", f"{method} {target} {len(body)} bytes".encode())
        self._deadline = time.monotonic() + limit_s
        silence_s = min(limit_s, silence_s or limit_s)
        timeout = self._httpx.Timeout(silence_s, connect=min(3.0, limit_s))
        with (
            self._device_errors(method, target, limit_s),
            self._client.stream(method, target, content=body, headers=headers, timeout=timeout) as answer,
        ):
            content = self._read_body(answer, target, cut_counts=not body_matters)
            reply = WebReply(status=answer.status_code, headers=dict(answer.headers), body=content)
        self._trace("<", f"{reply.status} {reply.headers.get('content-type', '')} {len(content)} bytes".encode())
        return reply

    @contextlib.contextmanager
    def _device_errors(self, method: str, target: str, limit_s: float) -> Iterator[None]:
        """Turns what the HTTP client raises into what a driver may meet."""
        httpx = self._httpx
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL) as exc:
            hint = "; name its fingerprint in certificate_sha256" if "CERTIFICATE_VERIFY_FAILED" in str(exc) else ""
            raise LinkError(f"cannot reach {target}: {exc or type(exc).__name__}{hint}") from exc
        except httpx.TimeoutException as exc:
            raise NoReply(f"{method} {target}: no complete answer within {limit_s:.1f} s") from exc
        except (httpx.HTTPError, OSError, RuntimeError) as exc:
            # RuntimeError is httpx's word for a client that was closed; so is an error of a socket that we closed.
            if self._closed.is_set():
                raise LinkError(f"{self.port}: closed while waiting for the device") from exc
            if isinstance(exc, RuntimeError):
                raise
            raise BadReply(f"{method} {target}: {type(exc).__name__}: {exc}") from exc

    def pause(self, limit_s: float) -> None:
        """Let limit_s seconds pass because the device asked for time; waits belong to the link, not to drivers.

        Raises LinkError at once when the link is closed meanwhile, so a stopping daemon waits for no scanner.
        """
        if self._closed.wait(limit_s):
            raise LinkError(f"{self.port}: closed while waiting for the device")

    def _left_s(self) -> float:
        return max(0.001, self._deadline - time.monotonic())  # 0 would mean "do not block" to a socket

    def _read_body(self, answer: httpx.Response, target: str, *, cut_counts: bool) -> bytes:
        content = bytearray()
        try:
            for chunk in answer.iter_raw():
                content += chunk
                if time.monotonic() > self._deadline:
                    raise NoReply(f"{target}: the answer trickles, {len(content)} bytes at the limit")
                if len(content) > self.largest_body:
                    raise BadReply(f"{target}: more than {self.largest_body} bytes")
        except (self._httpx.RemoteProtocolError, self._httpx.ReadError):
            if not cut_counts:
                raise
        return bytes(content)

    def close(self) -> None:
        self._closed.set()
        self._client.close()
