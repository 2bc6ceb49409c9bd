"""What passes between the hall and an eSCL scanner, in words for a technician.

Source: protocols/scanners.md, section 1.2 (A). Of bodies the trace knows the length only (drivers/transport_web.py):

    >   GET http://10.0.3.20/eSCL/ScannerStatus 0 bytes      method, address, length of the body
    <   200 text/xml 1234 bytes                              status, kind of document, length of the body
"""

from __future__ import annotations

import re

from drivers.wire_words import Words, two_languages

_ASKED = re.compile(r"(GET|POST|PUT|DELETE|HEAD) (\S+) \d+ bytes")
_SAID = re.compile(r"(\d{3}) (.*?) ?(\d{1,10}) bytes")
_DOCUMENTS = {
    "ScannerCapabilities": ("问能做什么", "ask what it can do"),
    "ScannerStatus": ("问状态", "ask its status"),
    "ScanJobs": ("下达扫描任务", "order a scan job"),
    "NextDocument": ("取下一页", "fetch the next page"),
    "ScanImageInfo": ("问页面尺寸", "ask the size of a page"),
}
_STATUSES = {
    200: ("好", "well"),
    201: ("任务已建立", "job made"),
    400: ("任务不被接受", "job refused"),
    403: ("被拒绝", "forbidden"),
    404: ("没有更多页，或找不到", "no more pages, or not found"),
    409: ("冲突：没纸、卡纸或盖子打开", "conflict: empty, jammed or open"),
    410: ("没有更多页", "no more pages"),
    500: ("设备故障", "device fault"),
    503: ("还没准备好", "not ready yet"),
}
_KINDS = {"image/jpeg": ("图像", "picture"), "text/xml": ("资料", "document"), "application/pdf": ("PDF", "PDF")}


def explain(direction: str, data: bytes) -> str:
    """Meaning of requests or answers, `Chinese | English`; "" where there is none."""
    told = data.decode("utf-8", "replace")
    if direction == ">":
        return two_languages(_asked(*found.groups()) for found in _ASKED.finditer(told))
    return two_languages(_said(*found.groups()) for found in _SAID.finditer(told))


def _asked(method: str, address: str) -> Words:
    if method == "DELETE":
        return "删除任务", "delete the job"
    unknown = f"{method} 请求", f"{method} request"
    return _DOCUMENTS.get(address.rpartition("/")[2], unknown)


def _said(status: str, kind: str, size: str) -> Words:
    zh, en = _STATUSES.get(int(status), ("其他回答", "another answer"))
    if int(size) == 0:
        return f"{status} {zh}", f"{status} {en}"
    of_kind = _KINDS.get(kind.partition(";")[0], ("内容", "content"))
    return f"{status} {zh}，{of_kind[0]} {size} 字节", f"{status} {en}, {of_kind[1]} of {size} bytes"
