"""Sentences about the catalogue, the service day, limits and appointments, by code, in Chinese and English."""

TEXTS: dict[str, tuple[str, str]] = {
    # what is wrong with a catalogue
    "catalogue.unreadable": ("事项目录无法读取：{subject}", "The catalogue cannot be read: {subject}"),
    "catalogue.version_not_higher": (
        "版本 {subject} 不高于正在使用的版本 {detail}。",
        "Version {subject} is not higher than {detail}, which is in force.",
    ),
    "catalogue.empty": ("目录里没有一个在用事项。", "It has no item in use."),
    "catalogue.item_twice": ("事项 {subject} 出现两次。", "Item {subject} stands in it twice."),
    "catalogue.day_twice": ("日历中 {subject} 出现两次。", "Its calendar names {subject} twice."),
    "catalogue.fewer_items": (
        "事项由 {subject} 个减为 {detail} 个，减少超过两成。",
        "It has {detail} items after {subject}: more than a fifth fewer.",
    ),
    "catalogue.not_public": ("事项 {subject} 缺少公开内容：{detail}。", "Item {subject} does not publish: {detail}."),
    "catalogue.no_window": (
        "事项 {subject} {detail} 没有窗口办理：请在 devices.toml 把它放进一个业务队列，或批准后由导办台指引。",
        "No window takes item {subject} {detail}: put it into a queue of devices.toml, or approve, and the guide "
        "desk will help.",
    ),
    "catalogue.window_without_rights": (
        "综合窗口 {subject} 没有可以受理的事项。",
        "Comprehensive window {subject} may take no item.",
    ),
    "catalogue.public.organ": ("机关", "organ"),
    "catalogue.public.content": ("内容", "content"),
    "catalogue.public.basis": ("依据", "basis"),
    "catalogue.public.materials": ("材料", "materials"),
    "catalogue.public.procedure": ("程序", "procedure"),
    "catalogue.public.time_limit": ("时限", "time limit"),
    "catalogue.public.fee": ("收费", "fee"),
    "catalogue.public.responsible": ("责任人", "responsible person"),
    "catalogue.public.complaint_phone": ("投诉电话", "complaint phone"),
    # what becomes of a catalogue
    "catalogue.state.active": ("使用中", "in force"),
    "catalogue.state.staged": ("待生效：下一个营业日", "staged: from the next service day"),
    "catalogue.state.held": ("待批准", "held for approval"),
    "catalogue.state.refused": ("已拒收，继续使用原目录", "refused; the former one stays in force"),
    "catalogue.state.rejected": ("未获批准", "rejected"),
    "catalogue.state.past": ("已被取代", "superseded"),
    "catalogue.in_force": (
        "正在使用的目录：版本 {version}，{items} 个事项",
        "In force: version {version}, {items} items",
    ),
    "catalogue.suspended_line": (
        "暂停 {item} {name}：等候的号码 {waiting}",
        "Suspended {item} {name}; waiting for it: {waiting}",
    ),
    "catalogue.unplaced_line": ("{n} 个事项没有窗口：{items}", "{n} items without a window: {items}"),
    "catalogue.more_findings": ("另有 {n} 处", "and {n} more"),
    # why no number is given
    "hall.not_now": ("现在不办公，{opens}开始取号。", "The hall is closed now; numbers are given from {opens}."),
    "hall.draining": (
        "今日停止取号，已取号的群众继续办理。{opens}开始取号，也可以网上预约。",
        "No more numbers today; those who have one are served. Numbers are given from {opens}; you may also book.",
    ),
    "hall.halted": (
        "大厅紧急闭厅，已取的号码保留到 {until}。",
        "The hall is closed for an emergency. Numbers that are out stay valid until {until}.",
    ),
    "hall.too_late": (
        "排队人数较多，闭厅前预计办不到您。{opens}开始取号，也可以网上预约。",
        "Too many are waiting to serve you before closing. Numbers are given from {opens}; you may also book.",
    ),
    "hall.cap_reached": (
        "“{what}”今日号已取完，请改日再来或网上预约。",
        "No more numbers today for {what}. Please come another day, or book.",
    ),
    "hall.person_cap_reached": (
        "这项业务每人每天最多取 {n} 个号，请到导办台。",
        "At most {n} numbers a day for one person here. Please ask at the desk.",
    ),
    "hall.power_failing": (
        "停电，正在用备用电源：不再叫号，群众的号码和顺序都保留。请用应急纸质号。",
        "The power fails and the UPS carries the hall: nobody is called, everybody keeps their place. Use the pads.",
    ),
    "scan.power_failing": (
        "停电，正在用备用电源，现在不扫描。请先收好原件，来电后再扫。",
        "The power fails: nothing is scanned now. Keep the originals until it is back.",
    ),
    "hall.confirm_close": (
        "还有 {waiting} 人等候、{parked} 人挂起、{called} 人叫号中，请核对后确认闭厅。",
        "{waiting} are waiting, {parked} parked, {called} being called: check, then confirm the closing.",
    ),
    # the service day
    "day.still_serving": (
        "昨天还没有闭厅：{number} 仍在办理，请先办结或挂起。",
        "Yesterday is still open: {number} is being served; finish or park it first.",
    ),
    "day.not_closed": ("营业日 {bizdate} 未关。", "The service day {bizdate} is still open."),
    "day.closed_late": (
        "{bizdate} 没有闭厅，已自动补做：{n} 个号码失效。",
        "{bizdate} had not been closed; it was now, and {n} numbers ended.",
    ),
    "day.power_failing": (
        "停电，正在用备用电源：已停止叫号和扫描，数据已存盘。请用应急纸质号（X 打头），来电后补录。",
        "The power fails: no calls, no scans, everything is on the disk. Use the paper pads (X), key them in later.",
    ),
    "day.check.test": ("{device} 自检未通过：{state}", "{device} failed its self-test: {state}"),
    "day.check.late": (
        "开厅自检没有在开门前做完：请在技术员界面查看。",
        "The self-test was not over before the hall opened: see the technician's screen.",
    ),
    "day.call_out": (
        "今日办理即将结束。还在等候的{n}位，请到导办台登记，可以优先预约。",
        "The hall is closing. If you are still waiting, please come to the information desk and book for another day.",
    ),
    "day.call_out_numbers": ("请{numbers}号到导办台。", "Numbers {numbers}, please come to the information desk."),
    "day.check.device": ("{device}：{state}", "{device}: {state}"),
    "day.check.disk": ("磁盘只剩 {percent}%，请清理或更换。", "Only {percent}% of the disk is free."),
    "day.check.store": ("数据库不能写入，请立即报修。", "The database cannot be written. Call for repair."),
    "day.check.unplaced": (
        "{n} 个事项没有窗口：用 hall-daemon catalogue status 查看。",
        "{n} items have no window: see hall-daemon catalogue status.",
    ),
    "day.state.closed": ("已闭厅", "closed"),
    "day.state.opening": ("准备开厅", "opening"),
    "day.state.open": ("开厅", "open"),
    "day.state.draining": ("停止取号，继续办理", "draining: no more numbers"),
    "day.state.halted": ("紧急闭厅", "emergency"),
    "day.status": ("{bizdate} {state}", "{bizdate} {state}"),
    "day.people": (
        "等候 {waiting}，叫号中 {called}，挂起 {parked}，过号 {no_show}",
        "waiting {waiting}, being called {called}, parked {parked}, not come {no_show}",
    ),
    "day.until": ("到 {until}，下次取号 {opens}", "until {until}; numbers again from {opens}"),
    "day.opens_again": ("{opens}开始取号", "Numbers are given from {opens}"),
    "day.today": ("今天", "today"),
    "day.opens_at": ("{day} {time}", "{day} {time}"),
    "day.opens_unknown": ("公告的时间", "an hour that a notice will tell"),
    "hall.not_held": ("版本 {version} 现在没有待批准。", "Version {version} is not held for approval."),
}
