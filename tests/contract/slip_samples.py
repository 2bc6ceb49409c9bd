"""Every paper that residents hold, with facts that try the layout: long names, rare characters, long numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from drivers.base import Slip
from drivers.escpos_profiles import EscposOptions
from drivers.escpos_slip import encode_slip
from hall_daemon.protocol import Text
from hall_daemon.slips import (
    CaseFacts,
    GuideFacts,
    NoticeFacts,
    SlipFacts,
    WantedPaper,
    case_paper,
    compose,
    guide,
    notice,
)
from sim.printer_escpos import TWIN
from sim.printer_paper import PrintedSlip

HALL = Text(zh="示例省政务服务中心", en="Sample Provincial Government Service Center")
URL = "https://hall.example/t/3fK9xPq2LmZ7"
ITEM = Text(zh="企业设立登记", en="Register a company")

TICKET = SlipFacts(
    hall=HALL, number="A037", item=ITEM, zone=Text(zh="注册登记区　一层东", en="Registration, floor 1 east"),
    windows="1-12", waiting_ahead=6, wait=Text(zh="15–25 分钟", en="15–25 min"), taken="2026-03-02 10:24",
    kiosk="1号取号机",
    materials=("居民身份证", "公司登记（备案）申请书", "公司章程", "住所使用证明"), code=URL,
)  # fmt: skip
BOOKED = replace(TICKET, number="YA1007", appointment="10:30", wait=None)
REPRINT = replace(TICKET, reprint=True, priority=True, number="VA012")
LARGE = replace(TICKET, large=True, priority=True, number="VA037")
BACK = replace(
    TICKET, number="VH1203", back=True, item=Text(zh="企业职工退休一件事（𠮷䶮街道）", en="Retirement one-stop package")
)
GUIDE = GuideFacts(
    hall=HALL, item=ITEM, dept="市场监督管理局",
    materials=(
        ("居民身份证", "原件"), ("公司登记（备案）申请书", "原件"), ("公司章程", "原件"), ("住所使用证明", "复印件"),
    ),
    steps="取号、窗口受理、部门办理、通知领取",
    basis=("《中华人民共和国公司法》第二十九条", "《市场主体登记管理条例》"),
    promise=Text(zh="1 个工作日"), law=Text(zh="3 个工作日"), fee=Text(zh="不收费"), responsible="市监局窗口负责人",
    phone="000-88990000", complaint_phone="12345", printed="2026-03-02 10:24", windows="1-12",
    code="https://hall.example/t/guide/11990000990000260P4992026003000",
)  # fmt: skip
NOTICE = NoticeFacts(
    hall=HALL, notice_no="66-0302-0007", item=Text(zh="社会保险登记（单位）", en="Employer social insurance"),
    given="3月2日 10:31", window="66", clerk="7013",
    received=("申请表", "营业执照（电子证照已核）", "法定代表人身份证"),
    wanted=(
        WantedPaper(name="授权委托书", why="缺", how="原件 1 份"),
        WantedPaper(name="银行账户信息", why="复印不清楚", how="复印件 1 份；签告知承诺书也可以"),
    ),
    promise=Text(zh="5 个工作日"), fee=Text(zh="不收费"),
    basis=("《社会保险法》第五十七条", "《行政许可法》第三十二条"),
    return_by="2026-03-09", code="6603020007", phone="000-88990066",
)  # fmt: skip
ACCEPTED = CaseFacts(
    kind="accept", hall=HALL, notice_no="66-0302-0008", local_case_no="L99000000000020260302000012",
    item=Text(zh="社会保险登记（单位）"), given="3月2日 10:31", window="66", clerk="7013",
    received=("申请表", "营业执照（电子证照已核）", "授权委托书"), due="2026-03-09", promise=Text(zh="5 个工作日"),
    code="L99000000000020260302000012",
)  # fmt: skip
RECEIVED = replace(ACCEPTED, kind="received", due="", notice_no="", promise=None)
REJECTED = replace(
    ACCEPTED,
    kind="reject",
    due="",
    received=(),
    promise=None,
    reason="该事项不属于本中心受理范围，请到区级政务服务中心办理",
)

SAMPLES: dict[str, Callable[[int], Slip]] = {
    "ticket": lambda columns: compose(TICKET, columns),
    "appointment": lambda columns: compose(BOOKED, columns),
    "reprint": lambda columns: compose(REPRINT, columns),
    "large": lambda columns: compose(LARGE, columns),
    "back": lambda columns: compose(BACK, columns),
    "guide": lambda columns: guide(GUIDE, columns),
    "notice": lambda columns: notice(NOTICE, columns),
    "acceptance": lambda columns: case_paper(ACCEPTED, columns),
    "received": lambda columns: case_paper(RECEIVED, columns),
    "refusal": lambda columns: case_paper(REJECTED, columns),
}
PROFILES = {32: "clone-58", 48: "epson-80"}


def printed(slip: Slip, columns: int, *, drawn: bool) -> PrintedSlip:
    """The paper that comes out of a printer of that width."""
    options = EscposOptions(profile=PROFILES[columns], columns=columns)
    twin = TWIN("PRN-01", {"profile": PROFILES[columns], "columns": columns})
    twin.receive(encode_slip(slip, options, drawn=drawn).data)
    assert len(twin.printed) == 1 or not options.cuts
    return twin.printed[0] if twin.printed else twin.paper
