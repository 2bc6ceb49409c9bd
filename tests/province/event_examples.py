"""One right example of the data of every event type of province.md §8, and the fields that may be left out."""

from __future__ import annotations

from typing import Any

TICKET = "01981380-0000-7000-8000-0000000000aa"
MATERIAL = "01981380-0000-7000-8000-0000000000bb"
OTHER = "01981380-0000-7000-8000-0000000000cc"
CASE = "L99000000000020261121000001"
ITEM = "11990000990000017W4990101001000"
AT = "2026-11-21T09:00:00.000+08:00"
HEX = "ab" * 32
BLOB = {"blob": "sha256:" + HEX, "sm3": HEX, "bytes": 5, "media": "application/pdf"}
PII = {"v": 1, "kid": "k1", "iv": "AAAA", "ct": "AAAA", "mac": "AAAA"}
PAGE = {"no": 1, "blob": BLOB, "w": 1654, "h": 2339, "dpi": 200, "color": False, "rotation": 90, "blank": False}
AT_WINDOW = {"ticket_id": TICKET, "window_code": "3", "clerk_id": "c017"}

EXAMPLES: dict[str, dict[str, Any]] = {
    "stream.opened": {
        "reason": "restore",
        "previous_streamid": OTHER,
        "previous_last_sequence": "0000000000000010",
        "previous_acked_through": "0000000000000009",
        "previous_chain_sm3": HEX,
        "serial_floor": {"A": 300},
    },
    "day.opened": {"planned_open": "09:00", "planned_close": "17:00"},
    "day.closed": {
        "tickets": 3,
        "served": 1,
        "no_show": 1,
        "cancelled": 1,
        "expired": 0,
        "by_queue": {"A": {"min": 1, "max": 3, "count": 3}},
        "evaluations": 1,
        "pages": 2,
        "first_sequence": "0000000000000002",
        "last_sequence": "0000000000000099",
    },
    "profile.changed": {
        "windows": [{"window_code": "3", "counter_kind": "general", "zone_code": "D", "queues": ["A"]}],
        "queues": [
            {
                "queue_code": "A",
                "name": "社保",
                "name_en": "Insurance",
                "item_codes": [ITEM],
                "dept": "119900009900000092",
            }
        ],
        "devices": [{"device_id": "PRN-01", "kind": "printer", "model": "TP-80"}],
    },
    "ticket.issued": {
        "ticket_id": TICKET,
        "display_no": "A1000",
        "queue_code": "A",
        "serial": 1000,
        "channel": "kiosk",
        "priority": "elder",
        "identity_mode": "id_card",
        "id_type": "111",
        "name_masked": "张**",
        "id_masked": "990000********0053",
        "phone_masked": "138****5678",
        "id_hmac": HEX,
        "pii": PII,
        "item_codes": [ITEM, ITEM + "01"],
        "appointment_id": "AP-1",
        "zone_code": "D",
        "waiting_ahead": 6,
        "est_wait_s": 900,
        "device_id": "PRN-01",
        "printed_required": True,
    },
    "ticket.printed": {
        "ticket_id": TICKET,
        "device_id": "PRN-01",
        "print_no": 1,
        "result": "failed",
        "reason_code": "paper_out",
        "reprint_by": "c017",
    },
    "ticket.called": {
        **AT_WINDOW,
        "display_no": "A017",
        "call_no": 1,
        "call_mode": "next",
        "rule": {"picked_by": "arrival", "candidates": 4, "oldest_wait_s": 300},
    },
    "ticket.serving_started": {**AT_WINDOW, "identity_rechecked": False},
    "ticket.parked": {**AT_WINDOW, "reason_code": "copy", "hold": "here"},
    "ticket.resumed": {**AT_WINDOW, "reason_code": "copy", "hold": "open"},
    "ticket.transferred": {
        "ticket_id": TICKET,
        "from_window": "3",
        "to_window": "4",
        "to_queue": "B",
        "keep_position": True,
        "reason_code": "wrong_queue",
        "clerk_id": "c017",
    },
    "ticket.no_show": {"ticket_id": TICKET, "window_code": "3", "clerk_id": "c017", "calls": 3, "by": "timer"},
    "ticket.requeued": {"ticket_id": TICKET, "position_rule": "after_n", "n": 3, "by": "guide"},
    "ticket.cancelled": {"ticket_id": TICKET, "display_no": "A017", "reason_code": "misissue", "clerk_id": "c017"},
    "ticket.finished": {
        **AT_WINDOW,
        "outcome": "received",
        "local_case_nos": [CASE],
        "started_at": AT,
        "ended_at": AT,
    },
    "ticket.expired": {"ticket_id": TICKET, "display_no": "A017", "last_state": "no_show"},
    "case.received": {
        "local_case_no": CASE,
        "ticket_id": TICKET,
        "item_code": ITEM,
        "case_kind": "promised",
        "applicant_kind": "person",
        "pii": PII,
        "id_hmac": HEX,
        "promise_due": "2026-12-01",
        "materials_required": ["M01", {"material_code": "M02"}],
        "clerk_id": "c017",
        "window_code": "3",
    },
    "case.notice": {
        "local_case_no": CASE,
        "notice_kind": "supplement",
        "notice_no": "N-1",
        "missing": [{"material_code": "M02", "text": "户口簿"}],
        "issued_to": "paper",
        "clerk_id": "c017",
    },
    "case.returned": {
        "local_case_no": CASE,
        "reason_code": "not_in_scope",
        "reason_text": "不属于本大厅",
        "clerk_id": "c017",
    },
    "case.supplemented": {"local_case_no": CASE, "notice_no": "N-1", "material_ids": [MATERIAL], "clerk_id": "c017"},
    "material.scanned": {
        "material_id": MATERIAL,
        "local_case_no": CASE,
        "material_code": "M01",
        "material_name": "居民身份证",
        "copy_kind": "original_seen",
        "pages": [PAGE],
        "bundle": BLOB,
        "device_id": "SCN-03",
        "clerk_id": "c017",
        "quality": {"blur": 12, "skew_mdeg": -350, "edges_ok": True},
    },
    "material.replaced": {
        "material_id": MATERIAL,
        "replaces": OTHER,
        "reason_code": "bad_scan",
        "clerk_id": "c017",
    },
    "material.withdrawn": {"material_id": MATERIAL, "reason_code": "resident_request", "clerk_id": "c017"},
    "material.damaged": {
        "material_id": MATERIAL,
        "blob": BLOB,
        "cause": "local_corrupt",
        "rescan_possible": True,
    },
    "evaluation.submitted": {
        "evaluation_id": OTHER,
        "ticket_id": TICKET,
        "local_case_no": CASE,
        "window_code": "3",
        "clerk_id": "c017",
        "level": 5,
        "option_codes": ["510"],
        "comment": "很好",
        "eval_channel": 4,
        "round": 1,
        "timeout": False,
    },
    "appointment.checked_in": {
        "appointment_id": "AP-1",
        "ticket_id": TICKET,
        "slot_delta_s": -300,
        "device_id": "PRN-01",
    },
    "catalog.activated": {"version": 42, "mode": "full", "content_sm3": HEX, "items": 99, "urgent": False},
    "device.changed": {
        "device_id": "PRN-01",
        "kind": "printer",
        "state": "failed",
        "reason_code": "paper_out",
        "counters": {"printed": 100},
    },
    "clock.changed": {"kind": "step", "delta_ms": -7200000, "source": "ntp"},
    "operator.acted": {
        "actor": "technician",
        "actor_id": "t001",
        "action": "disable",
        "target": "PRN-01",
        "result": "done",
        "reason_text": "换纸",
    },
    "command.result": {"command_id": 7, "result": "unsupported", "detail": "no such command"},
    "pii.erased": {"scope": "request", "id_hmac": HEX, "count": 3, "command_id": 7},
    "event.corrected": {"corrects_id": OTHER, "fields": {"serial": 2}, "reason_text": "录入错误", "actor_id": "t001"},
}

SUBJECTS = {
    "ticket": f"ticket/{TICKET}",
    "case": f"case/{CASE}",
    "material": f"material/{MATERIAL}",
    "appointment": "appointment/AP-1",
    "device": "device/PRN-01",
}
OPTIONAL: dict[str, set[str]] = {
    "stream.opened": {
        "previous_streamid",
        "previous_last_sequence",
        "previous_acked_through",
        "previous_chain_sm3",
    },
    "ticket.issued": {
        *("id_type", "name_masked", "id_masked", "phone_masked", "id_hmac", "pii", "appointment_id", "zone_code"),
        "est_wait_s",
    },
    "ticket.printed": {"reason_code", "reprint_by"},
    "ticket.resumed": {"reason_code", "hold"},
    "ticket.transferred": {"to_window", "to_queue"},
    "ticket.no_show": {"clerk_id"},
    "ticket.requeued": {"n"},
    "ticket.cancelled": {"clerk_id"},
    "case.received": {"pii", "id_hmac", "promise_due"},
    "material.scanned": {"bundle"},
    "material.replaced": {"replaces"},
    "evaluation.submitted": {"local_case_no", "comment"},
    "operator.acted": {"reason_text"},
    "command.result": {"detail"},
    "pii.erased": {"id_hmac", "command_id"},
}


def subject_of(kind: str) -> str:
    return SUBJECTS.get(kind.partition(".")[0], "hall")
