"""What the province answers when it cannot do what was asked: `application/problem+json` of province.md §10."""

from __future__ import annotations

from sim.province_seals import Json, JsonObject

USUAL_CODE = {
    400: "BAD_ENVELOPE",
    401: "AUTH_SIGNATURE",
    403: "AUTH_REVOKED",
    404: "STREAM_UNKNOWN",
    409: "SEQ_GAP",
    410: "UPLOAD_GONE",
    413: "TOO_LARGE",
    415: "MEDIA",
    422: "DIGEST_MISMATCH",
    423: "UPLOAD_LOCKED",
    426: "CONTRACT_TOO_OLD",
    429: "SLOW_DOWN",
    460: "CHECKSUM",
    503: "MAINTENANCE",
    507: "PROVINCE_FULL",
}
"""The code that a status has when nothing more special is said."""

# The same deed may succeed later, perhaps from another place in the stream or file.
RETRYABLE = frozenset(
    {
        *("AUTH_SIGNATURE", "AUTH_CLOCK_SKEW", "AUTH_REPLAY", "AUTH_KEY_UNKNOWN"),
        *("SEQ_GAP", "UPLOAD_OFFSET", "UPLOAD_GONE", "UPLOAD_LOCKED", "CHECKSUM", "DIGEST_MISMATCH", "STILL_RUNNING"),
        *("SLOW_DOWN", "MAINTENANCE", "PROVINCE_FULL", "INTERNAL", "CATALOG_BASE_GONE", "TOO_LARGE"),
    }
)


class Problem(Exception):
    """A refusal with its status and code; `more` are further members of the answer."""

    def __init__(self, status: int, code: str, detail: str, **more: Json) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.more = more
        self.headers: dict[str, str] = {}

    def with_headers(self, **headers: str) -> Problem:
        """The same refusal with response headers; underscores in names become hyphens."""
        self.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self

    def document(self) -> JsonObject:
        """The body of the answer."""
        return {
            "type": f"urn:hall-sync:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "retryable": self.code in RETRYABLE,
            **self.more,
        }
