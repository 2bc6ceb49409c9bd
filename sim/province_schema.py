"""What each event must carry: the data table of province.md §8.

Where the contract leaves a form open (time of day or full time, number or list) both are accepted, and the comment
beside it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sim import province_checks as c
from sim.province_checks import Check, either, integer, list_of, map_of, one_of, shape, text
from sim.province_seals import Json

TICKET_STATES = ("waiting", "called", "serving", "parked", "no_show", "finished", "cancelled", "expired")

_id_type = one_of("111", "414", "511", "516", "553", "001")
_ticket_at_window = {"ticket_id": c.uuid, "window_code": c.window, "clerk_id": c.clerk}
_park_reason = one_of("material", "approval", "copy", "other")
_hold = one_of("here", "open", "stage")
_planned = either(c.pattern("[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?"), c.moment)
_material_changed = shape(
    material_id=c.uuid,
    replaces_opt=c.uuid,
    reason_code=one_of("bad_scan", "wrong_paper", "resident_request"),
    clerk_id=c.clerk,
)


@dataclass(frozen=True, kw_only=True)
class EventType:
    """What one event type carries and which subject it belongs to."""

    data: Check
    subject: str | None = None
    """Kind of aggregate; None where any subject is right."""
    subject_member: str | None = None
    """Member of `data` that the subject must repeat."""
    also: Callable[[Mapping[str, Json]], str | None] = lambda _: None
    """A rule between members."""


def _ticket(data: Check) -> EventType:
    return EventType(data=data, subject="ticket", subject_member="ticket_id")


def _case(data: Check) -> EventType:
    return EventType(data=data, subject="case", subject_member="local_case_no")


def _material(data: Check, also: Callable[[Mapping[str, Json]], str | None] = lambda _: None) -> EventType:
    return EventType(data=data, subject="material", subject_member="material_id", also=also)


def _of_case_or_ticket(data: Mapping[str, Json]) -> str | None:
    return None if "local_case_no" in data or "ticket_id" in data else "neither local_case_no nor ticket_id"


def _rated_unless_timed_out(data: Mapping[str, Json]) -> str | None:
    return None if "level" in data or data.get("timeout") is True else "level: missing"


TICKETS: dict[str, EventType] = {
    "issued": _ticket(
        shape(
            ticket_id=c.uuid,
            display_no=c.display_no,
            queue_code=c.queue_code,
            serial=integer(1, 9999),
            channel=one_of("kiosk", "counter", "appointment", "mobile", "paper_emergency"),
            priority=one_of("normal", "appointment", "elder", "disabled", "pregnant", "serviceman", "green"),
            identity_mode=one_of("id_card", "e_id", "manual", "none"),
            id_type_opt=_id_type,
            name_masked_opt=text(64),
            id_masked_opt=text(64),
            phone_masked_opt=text(64),
            id_hmac_opt=c.hex64,
            pii_opt=c.pii,
            item_codes=list_of(c.item_code, 10),
            appointment_id_opt=text(64),
            zone_code_opt=text(8),
            waiting_ahead=integer(0),
            est_wait_s_opt=integer(0),
            device_id=c.device_id,
            printed_required=c.boolean,
        )
    ),
    "printed": _ticket(
        shape(
            ticket_id=c.uuid,
            device_id=c.device_id,
            print_no=integer(1),
            result=one_of("ok", "failed", "unknown"),
            reason_code_opt=one_of("paper_out", "jam", "cover", "offline", "head_hot", "cutter", "timeout"),
            reprint_by_opt=c.clerk,
        )
    ),
    "called": _ticket(
        shape(
            **_ticket_at_window,
            display_no=c.display_no,
            call_no=integer(1),
            call_mode=one_of("next", "select", "recall", "auto"),
            # "Candidates" may be their number or their list.
            rule=shape(picked_by=text(64), candidates=either(integer(0), list_of(text(64))), oldest_wait_s=integer(0)),
        )
    ),
    "serving_started": _ticket(shape(**_ticket_at_window, identity_rechecked=c.boolean)),
    "parked": _ticket(shape(**_ticket_at_window, reason_code=_park_reason, hold=_hold)),
    "resumed": _ticket(shape(**_ticket_at_window, reason_code_opt=_park_reason, hold_opt=_hold)),
    "transferred": _ticket(
        shape(
            ticket_id=c.uuid,
            from_window=c.window,
            to_window_opt=c.window,
            to_queue_opt=c.queue_code,
            keep_position=c.boolean,
            reason_code=text(64),
            clerk_id=c.clerk,
        )
    ),
    "no_show": _ticket(
        shape(
            ticket_id=c.uuid, window_code=c.window, clerk_id_opt=c.clerk, calls=integer(0), by=one_of("clerk", "timer")
        )
    ),
    "requeued": _ticket(
        shape(
            ticket_id=c.uuid,
            position_rule=one_of("after_n", "tail", "front"),
            n_opt=integer(0),
            by=one_of("clerk", "kiosk", "guide"),
        )
    ),
    "cancelled": _ticket(
        shape(
            ticket_id=c.uuid,
            display_no=c.display_no,
            reason_code=one_of("resident_left", "duplicate", "misissue", "item_suspended", "other"),
            clerk_id_opt=c.clerk,
        )
    ),
    "finished": _ticket(
        shape(
            **_ticket_at_window,
            outcome=one_of("completed", "received", "supplement", "returned", "consulted", "left"),
            local_case_nos=list_of(c.local_case_no, 100),
            started_at=c.moment,
            ended_at=c.moment,
        )
    ),
    "expired": _ticket(shape(ticket_id=c.uuid, display_no=c.display_no, last_state=one_of(*TICKET_STATES))),
}

CASES: dict[str, EventType] = {
    "received": _case(
        shape(
            local_case_no=c.local_case_no,
            ticket_id=c.uuid,
            item_code=c.item_code,
            case_kind=one_of("immediate", "promised", "joint", "reported"),
            applicant_kind=one_of("person", "org"),
            pii_opt=c.pii,
            id_hmac_opt=c.hex64,
            promise_due_opt=either(c.date, c.moment),
            # The contract does not say what a required material looks like.
            materials_required=list_of(either(text(40), c.free_object), 500),
            clerk_id=c.clerk,
            window_code=c.window,
        )
    ),
    "notice": _case(
        shape(
            local_case_no=c.local_case_no,
            notice_kind=one_of("accept", "supplement", "reject"),
            notice_no=text(64),
            missing=list_of(c.material_line, 500),
            issued_to=one_of("paper", "sms", "both"),
            clerk_id=c.clerk,
        )
    ),
    "returned": _case(
        shape(
            local_case_no=c.local_case_no,
            reason_code=one_of("not_in_scope", "invalid", "withdrawn", "duplicate"),
            reason_text=text(200),
            clerk_id=c.clerk,
        )
    ),
    "supplemented": _case(
        shape(local_case_no=c.local_case_no, notice_no=text(64), material_ids=list_of(c.uuid, 500), clerk_id=c.clerk)
    ),
}

MATERIALS: dict[str, EventType] = {
    "scanned": _material(
        shape(
            material_id=c.uuid,
            local_case_no_opt=c.local_case_no,
            ticket_id_opt=c.uuid,
            material_code=text(40),
            material_name=text(200),
            copy_kind=one_of("original_seen", "copy", "electronic", "commitment"),
            pages=list_of(c.page, 1000),
            bundle_opt=c.blob,
            device_id=c.device_id,
            clerk_id=c.clerk,
            quality=shape(blur=integer(None), skew_mdeg=integer(None), edges_ok=c.boolean),
        ),
        also=_of_case_or_ticket,
    ),
    "replaced": _material(_material_changed),
    "withdrawn": _material(_material_changed),
    "damaged": _material(
        shape(
            material_id=c.uuid,
            blob=c.blob,
            cause=one_of("local_corrupt", "device", "unknown"),
            rescan_possible=c.boolean,
        )
    ),
}

OTHERS: dict[str, EventType] = {
    "stream.opened": EventType(
        subject="hall",
        data=shape(
            reason=one_of("install", "restore", "repair", "reset"),
            previous_streamid_opt=c.uuid,
            previous_last_sequence_opt=c.sequence,
            previous_acked_through_opt=c.sequence,
            previous_chain_sm3_opt=c.hex64,
            serial_floor=map_of(c.queue_code, integer(0)),
        ),
    ),
    # Opening hours: the contract does not say whether they carry the date.
    "day.opened": EventType(subject="hall", data=shape(planned_open=_planned, planned_close=_planned)),
    "day.closed": EventType(
        subject="hall",
        data=shape(
            tickets=integer(0),
            served=integer(0),
            no_show=integer(0),
            cancelled=integer(0),
            expired=integer(0),
            by_queue=c.by_queue,
            evaluations=integer(0),
            pages=integer(0),
            first_sequence=c.sequence,
            last_sequence=c.sequence,
        ),
    ),
    "profile.changed": EventType(
        subject="hall",
        data=shape(
            windows=list_of(
                shape(
                    window_code=c.window,
                    counter_kind=one_of("general", "special", "consult", "issue"),
                    zone_code=text(8),
                    queues=list_of(c.queue_code),
                )
            ),
            queues=list_of(
                shape(
                    queue_code=c.queue_code,
                    name=text(200),
                    name_en=text(200, 0),
                    item_codes=list_of(c.item_code),
                    dept=text(64, 0),
                )
            ),
            devices=list_of(shape(device_id=c.device_id, kind=c.device_kind, model_opt=text(200, 0))),
        ),
    ),
    "evaluation.submitted": EventType(
        data=shape(
            evaluation_id=c.uuid,
            ticket_id=c.uuid,
            local_case_no_opt=c.local_case_no,
            window_code=c.window,
            clerk_id=c.clerk,
            # "timeout" means that nobody rated, and nothing may be invented then.
            level_opt=integer(1, 5),
            option_codes=list_of(text(8), 8),
            comment_opt=text(500, 0),
            eval_channel=either(integer(1, 7), c.pattern("[1-7]")),
            round=integer(1, 2),
            timeout=c.boolean,
        ),
        also=_rated_unless_timed_out,
    ),
    "appointment.checked_in": EventType(
        subject="appointment",
        subject_member="appointment_id",
        data=shape(appointment_id=text(64), ticket_id=c.uuid, slot_delta_s=integer(None), device_id=c.device_id),
    ),
    "catalog.activated": EventType(
        subject="hall",
        data=shape(
            version=integer(0), mode=one_of("full", "delta"), content_sm3=c.hex64, items=integer(0), urgent=c.boolean
        ),
    ),
    "device.changed": EventType(
        subject="device",
        subject_member="device_id",
        data=shape(
            device_id=c.device_id,
            kind=c.device_kind,
            state=one_of("ok", "degraded", "failed", "removed"),
            reason_code=text(64, 0),
            counters=map_of(text(64), integer(None)),
        ),
    ),
    "clock.changed": EventType(
        data=shape(kind=one_of("step", "source_lost", "source_back", "tz"), delta_ms=integer(None), source=text(64, 0))
    ),
    "operator.acted": EventType(
        data=shape(
            actor=one_of("clerk", "technician", "admin"),
            actor_id=c.clerk,
            action=text(64),
            target=text(200, 0),
            result=text(64),
            reason_text_opt=text(200, 0),
        )
    ),
    "command.result": EventType(
        data=shape(
            command_id=integer(0),
            result=one_of("done", "failed", "unsupported", "expired"),
            detail_opt=text(1000, 0),
        )
    ),
    "pii.erased": EventType(
        data=shape(
            scope=one_of("retention", "request"), id_hmac_opt=c.hex64, count=integer(0), command_id_opt=integer(0)
        )
    ),
    "event.corrected": EventType(
        data=shape(corrects_id=c.uuid, fields=c.free_object, reason_text=text(200), actor_id=c.clerk)
    ),
}

EVENT_TYPES: dict[str, EventType] = {
    **{f"hall.ticket.{verb}.v1": kind for verb, kind in TICKETS.items()},
    **{f"hall.case.{verb}.v1": kind for verb, kind in CASES.items()},
    **{f"hall.material.{verb}.v1": kind for verb, kind in MATERIALS.items()},
    **{f"hall.{name}.v1": kind for name, kind in OTHERS.items()},
}
