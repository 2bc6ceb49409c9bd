"""What a technician reads about reporting to the province (报送): each trouble says what goes on and what to do."""

TEXTS: dict[str, tuple[str, str]] = {
    "province.unreachable": (
        "省级平台连不上，数据已存本机，恢复后自动上报。",
        "The province cannot be reached. Everything is kept here and sent when it is back.",
    ),
    "province.not_the_province": (
        "非平台响应：可能被上网认证页或代理拦截，请检查网络出口。",
        "Something that is not the province answers: look for a login page or proxy in the network.",
    ),
    "province.busy": ("省级平台繁忙，按其要求稍后再报。", "The province is busy and asked to wait."),
    "province.failed": ("省级平台故障，稍后自动重试。", "The province has a fault; it is tried again."),
    "province.full": (
        "省级平台存储已满，请联系平台方；数据存在本机。",
        "The province has no space left: call its operators. Everything is kept here.",
    ),
    "province.no_key": (
        "没有签名密钥，不能上报：请设置环境变量 HALL_SIGN_KEY 后重启。",
        "No signing key, so nothing is sent: set HALL_SIGN_KEY in the environment and restart.",
    ),
    "province.key_refused": (
        "平台不认签名密钥 {kid}，请联系平台方换发。",
        "The province refuses signing key {kid}: ask its operators for a new one.",
    ),
    "province.clock": (
        "本机与平台时间不一致，签名时间已自动校正，请检查本机时钟。",
        "This clock differs from the province's; signatures are corrected. Check this machine's clock.",
    ),
    "province.revoked": (
        "平台已停用本厅的上报，业务照常，数据存在本机，请联系平台方。",
        "The province has suspended this hall. Work goes on and everything is kept here: call its operators.",
    ),
    "province.too_old": (
        "程序版本过旧，平台不再接收，请升级；数据存在本机。",
        "This program is too old for the province: upgrade it. Everything is kept here.",
    ),
    "province.refused": (
        "平台拒绝（{code}），请联系平台方；数据存在本机。",
        "The province refuses with {code}: call its operators. Everything is kept here.",
    ),
    "province.rewound": (
        "平台数据回退，正在从第 {sequence} 条起重传。",
        "The province has gone back; sending again from {sequence}.",
    ),
    "province.new_stream": (
        "上报序号冲突，已开新流并重传未确认的数据。",
        "Sequences were in conflict; a new stream was opened and what was unacknowledged is sent again.",
    ),
    "province.duplicate_identity": (
        "身份重复：可能有另一台机器在用本厅身份上报，请立即检查。",
        "Identity used twice: another machine may be reporting as this hall. Check at once.",
    ),
    "province.event_refused": (
        "平台无法接收 {count} 条记录，已留在本机待处理，其余照常上报。",
        "The province cannot take {count} events; they stay here for a person to look at, the others go on.",
    ),
    "province.all_refused": (
        "平台拒收数据，请联系平台方；数据存在本机。",
        "The province refuses whatever is sent: call its operators. Everything is kept here.",
    ),
    "province.quarantined": (
        "平台隔离了 {count} 条记录，请与平台方核对。",
        "The province holds {count} events in quarantine: go through them with its operators.",
    ),
    "province.chain_broken": (
        "本机与平台的校验链不一致：请勿改动数据库，立即联系运维和平台方。",
        "The chain of hashes differs from the province's: change nothing in the database and call both operators.",
    ),
    "province.stalled": (
        "同步停滞：平台在线，但 {minutes} 分钟没有确认，请联系平台方。",
        "No progress for {minutes} minutes although the province answers: call its operators.",
    ),
    "province.day_differs": (
        "{bizdate} 与平台对账不一致，已补传仍不符，请联系平台方。",
        "{bizdate} differs from the province's ledger even after sending again: call its operators.",
    ),
    "province.day_chain_broken": (
        "{bizdate} 的校验链与平台不一致：请勿改动数据库，立即联系运维和平台方。",
        "The chain of hashes of {bizdate} differs from the province's: change nothing, call both operators.",
    ),
    "province.file_damaged": (
        "{count} 页扫描件在本机损坏，没有上报，请重扫。",
        "{count} scanned pages are damaged here and were not sent. Scan them again.",
    ),
    "province.file_unreadable": (
        "{count} 个扫描文件读不出来，请检查磁盘和权限。",
        "{count} scanned files cannot be read: check the disk and its permissions.",
    ),
    "province.file_refused": (
        "{count} 个扫描文件平台没有接收，请联系平台方；文件在本机。",
        "The province does not take {count} scanned files: call its operators. The files are kept here.",
    ),
    "province.file_too_large": (
        "{count} 个扫描文件超过平台限制，请分卷重扫（不低于 200 dpi）。",
        "{count} scanned files are too large for the province: scan in parts (not below 200 dpi).",
    ),
}
