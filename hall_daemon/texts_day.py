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
    "hall.not_held": ("版本 {version} 现在没有待批准。", "Version {version} is not held for approval."),
}
