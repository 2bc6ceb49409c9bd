"""Pages on which something is chosen: common items, zones, departments, lists, search, guide, check."""

from __future__ import annotations

from collections.abc import Sequence

from hall_daemon.kiosk_scene import NO_TEXT, Page, Scene, about, choice, keys, ranged, several, turning
from hall_daemon.kiosk_search import named, number_of
from hall_daemon.kiosk_visit import (
    COMMON_PER_PAGE,
    HITS_PER_PAGE,
    ITEMS_PER_PAGE,
    LETTERS,
    MOST_IN_CART,
    SEARCH_LENGTH,
)
from hall_daemon.privacy import mask_id, mask_phone
from hall_daemon.profile import HallProfile, Item, Kiosk, Material
from hall_daemon.protocol import Text
from hall_daemon.protocol_kiosk import KioskChoice, KioskField, KioskScreen
from hall_daemon.slips import window_range
from hall_daemon.texts import say, text
from hall_daemon.words import CounterKind

MOST_COMMON = 18
"""Items that are offered as often asked for: three pages; all others are found by the other roads."""
SMALL_PAGES = {KioskScreen.SERVICE: 4, KioskScreen.LIST: 5, KioskScreen.DEPARTMENTS: 5, KioskScreen.PINYIN: 2}
"""Entries on a page whose keys are large or stand low."""
_USUAL = {
    KioskScreen.SERVICE: COMMON_PER_PAGE,
    KioskScreen.LIST: ITEMS_PER_PAGE,
    KioskScreen.DEPARTMENTS: ITEMS_PER_PAGE,
    KioskScreen.PINYIN: HITS_PER_PAGE,
}


def per_page(scene: Scene, screen: KioskScreen) -> int:
    """Entries on a page."""
    modes = scene.visit.modes
    return SMALL_PAGES[screen] if modes.low or (modes.large and screen is not KioskScreen.SERVICE) else _USUAL[screen]


# --- what stands on a page -------------------------------------------------------------------------------------------


def common(scene: Scene) -> list[Item]:
    """Items of this kiosk that are asked for often, suspended ones left out."""
    here = {item.code: item for item in scene.profile.items_at(scene.kiosk.code)}
    ranked = [here[code] for code in scene.common if code in here and not here[code].suspended]
    rest = [item for item in here.values() if item.code not in scene.common and not item.suspended and item.codes]
    return [*ranked, *rest][:MOST_COMMON]


def departments_at(scene: Scene) -> list[str]:
    """Codes of the departments that have something here, in catalogue order."""
    here = {item.dept for item in scene.profile.items_at(scene.kiosk.code) if item.dept}
    return [code for code in scene.profile.departments if code in here]


def offered(scene: Scene) -> list[Item]:
    """Items on the list: those of the chosen zone or department, or all."""
    items = scene.profile.items_at(scene.kiosk.code)
    zone, dept = scene.visit.zone, scene.visit.dept
    return [item for item in items if (not zone or item.zone == zone) and (not dept or item.dept == dept)]


def listed(scene: Scene, screen: KioskScreen) -> Sequence[Item]:
    """All items of a list, over its pages."""
    if screen is KioskScreen.SERVICE:
        return common(scene)
    return [hit.item for hit in scene.found] if screen is KioskScreen.PINYIN else offered(scene)


def shown(scene: Scene, screen: KioskScreen) -> Sequence[Item]:
    """Items on the page that is open."""
    size = per_page(scene, screen)
    first = (scene.visit.page - 1) * size
    return listed(scene, screen)[first : first + size]


def page_count(scene: Scene, screen: KioskScreen) -> int:
    """How many pages a list has."""
    count = len(departments_at(scene) if screen is KioskScreen.DEPARTMENTS else listed(scene, screen))
    return several(1, count, per_page(scene, screen))[0]


def consult_item(profile: HallProfile, kiosk: Kiosk) -> Item | None:
    """What somebody without any document may take a number for: a queue that only answers questions."""
    for item in profile.items_at(kiosk.code):
        windows = [profile.windows[code] for code in profile.windows_for(item.queue)]
        if not item.codes and any(window.counter_kind is CounterKind.CONSULT for window in windows):
            return item
    return None


# --- pages ------------------------------------------------------------------------------------------------------------


def _item_choice(scene: Scene, key: str, item: Item, detail: Text | None = None) -> KioskChoice:
    wait = about(scene.waits.get(item.queue))
    if item.suspended:
        detail, wait = text("kiosk.list.suspended"), NO_TEXT
    elif detail is None:
        detail, wait = wait, NO_TEXT
    return KioskChoice(key=key, label=named(item), detail=detail, wait=wait, zone=item.zone, suspended=item.suspended)


def service(scene: Scene) -> Page:
    """What for? What is asked for most, and the roads to everything else."""
    screen, many = KioskScreen.SERVICE, page_count(scene, KioskScreen.SERVICE)
    on_page = shown(scene, screen)
    return Page(
        step=0 if scene.visit.guide_only else 3,
        title=text("kiosk.service.title_guide" if scene.visit.guide_only else "kiosk.service.title"),
        line=text("kiosk.service.line"),
        notices=_in_cart(scene),
        choices=(
            *(_item_choice(scene, str(place), item) for place, item in enumerate(on_page, start=1)),
            choice("7", "kiosk.service.zones"),
            choice("8", "kiosk.service.departments"),
            choice("9", "kiosk.service.pinyin"),
            choice("0", "kiosk.service.staff"),
        ),
        page=scene.visit.page,
        pages=many,
        keys=keys(cancel="cancel", correct="back", **turning(many)),
    )


def _in_cart(scene: Scene) -> tuple[Text, ...]:
    cart = scene.visit.cart
    if not cart:
        return ()
    names = Text(zh="、".join(i.short.zh for i in cart), en=", ".join(i.short.en or i.short.zh for i in cart))
    return (say("kiosk.cart.has", names=names),)


def zones(scene: Scene) -> Page:
    """In which part of the hall?"""
    waiting = {load.zone: load.waiting for load in scene.loads}
    return Page(
        step=3,
        title=text("kiosk.zones.title"),
        choices=tuple(
            KioskChoice(
                key=str(place),
                label=zone.name,
                detail=text("kiosk.confirm.people", n=waiting[zone.code]) if zone.code in waiting else NO_TEXT,
                wait=_longest(scene, zone.code),
                zone=zone.code,
            )
            for place, zone in enumerate(scene.profile.zones_at(scene.kiosk.code)[:9], start=1)
        ),
        keys=keys(cancel="cancel", correct="back"),
    )


def _longest(scene: Scene, zone: str) -> Text:
    """The longest wait of a zone, as its board says it."""
    queues = {item.queue for item in scene.profile.items_at(scene.kiosk.code) if item.zone == zone}
    known = [wait for queue, wait in scene.waits.items() if queue in queues]
    return about(max(known, key=lambda wait: wait.high_min, default=None))


def departments(scene: Scene) -> Page:
    """Whose business?"""
    screen = KioskScreen.DEPARTMENTS
    many, first = page_count(scene, screen), (scene.visit.page - 1) * per_page(scene, screen)
    codes = departments_at(scene)[first : first + per_page(scene, screen)]
    return Page(
        step=3,
        title=text("kiosk.departments.title"),
        choices=tuple(
            KioskChoice(key=str(place), label=scene.profile.dept_name(code))
            for place, code in enumerate(codes, start=1)
        ),
        page=scene.visit.page,
        pages=many,
        keys=keys(cancel="cancel", correct="back", **turning(many)),
    )


def items(scene: Scene) -> Page:
    """Items of a zone or department."""
    visit, many = scene.visit, page_count(scene, KioskScreen.LIST)
    zone = scene.profile.zones.get(visit.zone)
    chosen = zone.name if zone else scene.profile.dept_name(visit.dept) if visit.dept else NO_TEXT
    on_page = shown(scene, KioskScreen.LIST)
    return Page(
        step=3,
        title=text("kiosk.list.title"),
        line=chosen if offered(scene) else text("kiosk.list.empty"),
        choices=tuple(
            _item_choice(scene, str(place), item, None if visit.dept else _dept(scene, item))
            for place, item in enumerate(on_page, start=1)
        ),
        page=visit.page,
        pages=many,
        keys=keys(cancel="cancel", correct="back", **turning(many)),
    )


def _dept(scene: Scene, item: Item) -> Text | None:
    return scene.profile.dept_name(item.dept) if item.dept else None


def pinyin(scene: Scene) -> Page:
    """By the initials of the pinyin, or by number, on nine digit keys; then one of the hits."""
    visit, many = scene.visit, page_count(scene, KioskScreen.PINYIN)
    on_page = shown(scene, KioskScreen.PINYIN)
    hits = {hit.item.code: hit for hit in scene.found}
    typed = visit.searched
    told = text("kiosk.pinyin.example")
    if typed and not scene.found:
        told = text("kiosk.pinyin.none")
    elif typed:
        told = text("kiosk.pinyin.pick" if not visit.picking else "kiosk.pinyin.picking", n=len(on_page))
    choices = []
    for place, item in enumerate(on_page, start=1):
        entry = _item_choice(scene, str(place) if visit.picking else f"pick{place}", item)
        hit = hits[item.code]
        where = (hit.start, hit.count) if hit.count else None
        choices.append(entry.model_copy(update={"matched": where, "letters": number_of(item)}))
    ready = {"ok": "pick"} if scene.found and not visit.picking else {}
    return Page(
        step=3,
        title=text("kiosk.pinyin.title"),
        line=text("kiosk.pinyin.found", n=len(scene.found)) if typed else NO_TEXT,
        notices=(told,),
        choices=tuple(choices),
        page=visit.page,
        pages=many,
        field=KioskField(shown=" ".join(_keyed(d) for d in typed), typed=len(typed), length=SEARCH_LENGTH),
        keys=keys(
            cancel="cancel", correct="correct" if typed else "back", **ready,
            **(turning(many) if visit.picking else {}),
        ),
        letters=True,
    )  # fmt: skip


def _keyed(digit: str) -> str:
    return f"{digit}({LETTERS[digit]})" if digit in LETTERS else digit


# --- guide ------------------------------------------------------------------------------------------------------------


def guide(scene: Scene) -> Page:
    """What an item asks for and gives: the nine published facts (九公开)."""
    item = scene.visit.looked
    if item is None:
        return service(scene)
    take = (choice("2", "kiosk.guide.take"),) if not item.suspended and not scene.visit.cart else ()
    return Page(
        title=text("kiosk.guide.title"),
        line=named(item),
        notices=scene.printer_notices,
        choices=(*((choice("1", "kiosk.guide.print"),) if scene.printer_serves else ()), *take),
        facts=published_facts(scene.profile, item),
        materials=tuple(_material(material) for material in item.materials),
        code=scene.guide_code,
        keys=keys(cancel="cancel", correct="back"),
        voice=say("kiosk.voice.guide", name=named(item), n=len(item.materials)),
        read=(*(_material(material) for material in item.materials), *_told(published_facts(scene.profile, item))),
    )


def _told(facts: Sequence[tuple[Text, Text]]) -> tuple[Text, ...]:
    """Facts as they are read out: label, value."""
    return tuple(Text(zh=f"{label.zh}：{value.zh}", en=f"{label.en}: {value.en or value.zh}") for label, value in facts)


def published_facts(profile: HallProfile, item: Item) -> tuple[tuple[Text, Text], ...]:
    """Label and value of what has to be public about an item (domain.md §1), materials apart."""
    published = item.published
    rows: list[tuple[str, Text]] = [
        ("organ", profile.dept_name(item.dept) if item.dept else NO_TEXT),
        ("content", named(item)),
        ("basis", Text(zh="；".join(published.basis))),
        ("procedure", text(f"kiosk.guide.procedure.{item.kind}")),
        ("limit", _both_limits(item)),
        ("fee", Text(zh=published.fee) if published.fee else text("kiosk.guide.fee.none")),
        ("responsible", Text(zh=" ".join(filter(None, (published.responsible, published.phone))))),
        ("complaint", Text(zh=published.complaint_phone)),
        ("place", _place_and_windows(profile, item)),
        ("number", Text(zh=number_of(item))),
    ]
    return tuple((text(f"kiosk.guide.{name}"), value) for name, value in rows if value.zh)


def _limit(item: Item) -> Text:
    days = item.promise_days
    return text("kiosk.confirm.promise_days", n=days) if days else text("kiosk.confirm.promise_now")


def _both_limits(item: Item) -> Text:
    """What is promised, and what the law allows."""
    unit = "workdays" if item.day_unit == "workday" else "days"

    def days(n: int) -> Text:
        return text(f"kiosk.guide.{unit}", n=n) if n else text("kiosk.guide.now")

    legal = item.published.legal_days
    if not legal:
        return days(item.promise_days)
    return say("kiosk.guide.limit.both", promise=days(item.promise_days), legal=days(legal))


def _place_and_windows(profile: HallProfile, item: Item) -> Text:
    return say("kiosk.guide.at", zone=place_of(profile, item), windows=window_range(profile.windows_for(item.queue)))


def _material(material: Material) -> Text:
    if material.need == "required":
        return Text(zh=material.name)
    return text("kiosk.confirm.material_conditional", name=material.name)


# --- check ------------------------------------------------------------------------------------------------------------


def confirm(scene: Scene) -> Page:
    """Check before a number is taken. The first fact is the item with its place."""
    visit = scene.visit
    item = visit.item
    if item is None:
        return service(scene)
    wait = scene.waits.get(item.queue)
    facts = [
        (_names(visit.cart), place_of(scene.profile, item)),
        (text("kiosk.confirm.ahead"), text("kiosk.confirm.people", n=visit.ahead)),
        (text("kiosk.confirm.wait"), ranged(wait)),
        (text("kiosk.confirm.open"), _open(scene, item)),
        *_more_facts(scene, item),
    ]
    more = (choice("2", "kiosk.confirm.more"),) if item.codes and len(visit.cart) < MOST_IN_CART else ()
    behalf = (choice("3", "kiosk.confirm.behalf"),) if visit.card is not None and not visit.behalf else ()
    return Page(
        step=4,
        title=text("kiosk.confirm.title"),
        notices=(*((scene.quieter,) if scene.quieter is not None else ()), *scene.printer_notices),
        choices=(*((choice("1", "kiosk.confirm.guide"),) if item.codes else ()), *more, *behalf),
        facts=tuple(facts),
        materials=to_bring(visit.cart),
        zones=tuple(load for load in scene.loads if load.zone == item.zone),
        keys=keys(cancel="cancel", correct="back", ok="take"),
        voice=say("kiosk.voice.confirm", name=_names(visit.cart), n=visit.ahead, wait=ranged(wait)),
        read=(text("kiosk.word.bring"), *bring) if (bring := to_bring(visit.cart)) else (),
    )


def _more_facts(scene: Scene, item: Item) -> list[tuple[Text, Text]]:
    visit = scene.visit
    # What has no room in large letters stands last.
    facts = [(text("kiosk.confirm.promise"), _limit(item))] if item.codes else []
    if visit.behalf:
        facts.append((text("kiosk.confirm.for"), Text(zh=mask_id(visit.behalf))))
    facts.append((text("kiosk.confirm.windows"), Text(zh=window_range(scene.profile.windows_for(item.queue)))))
    if visit.phone:
        facts.append((text("kiosk.confirm.phone"), Text(zh=mask_phone(visit.phone))))
    return facts


def _open(scene: Scene, item: Item) -> Text:
    return text("kiosk.confirm.open_count", n=scene.open_windows.get(item.queue, 0))


def _names(cart: Sequence[Item]) -> Text:
    if len(cart) == 1:
        return named(cart[0])
    return Text(zh="＋".join(i.short.zh for i in cart), en=" + ".join(i.short.en or i.short.zh for i in cart))


def to_bring(cart: Sequence[Item]) -> tuple[Text, ...]:
    """Papers of all items of the cart, each once; needed by one is needed."""
    needed = {m.name for item in cart for m in item.materials if m.need == "required"}
    names: dict[str, Text] = {}
    for item in cart:
        for material in item.materials:
            sure = Text(zh=material.name) if material.name in needed else _material(material)
            names.setdefault(material.name, sure)
    return tuple(names.values())


def place_of(profile: HallProfile, item: Item) -> Text:
    """Name of the zone where an item is dealt with."""
    zone = profile.zones.get(item.zone)
    return zone.name if zone else Text(zh=item.zone)


# --- what cannot be taken ---------------------------------------------------------------------------------------------


def suspended(scene: Scene) -> Page:
    """The item takes no numbers now."""
    item = scene.visit.looked
    return Page(
        title=text("kiosk.suspended.title"),
        line=named(item) if item else NO_TEXT,
        notices=(
            text("kiosk.suspended.today", reason=item.suspended_why)
            if item and item.suspended_why
            else text("kiosk.suspended.line"),
        ),
        choices=(
            choice("1", "kiosk.suspended.other"),
            choice("2", "kiosk.guide.look"),
            choice("3", "kiosk.nocard.staff"),
        ),
        keys=keys(cancel="cancel", correct="back"),
    )


_REFUSED = {"no_more_numbers": "no_more_numbers", "cap_reached": "no_more_numbers", "no_window": "no_window"}
"""Why the hall gave no number → the title that says so."""


def limit(scene: Scene) -> Page:
    """The hall gives no number for this: none left, no window, too late in the day."""
    code, sentence = scene.refusal or ("no_more_numbers", text("hall.no_more_numbers"))
    return Page(
        title=text(f"kiosk.limit.{_REFUSED.get(code, 'other')}"),
        line=sentence,
        notices=(text("kiosk.limit.kept"),),
        choices=(choice("1", "kiosk.suspended.other"), choice("2", "kiosk.nocard.staff")),
        keys=keys(cancel="cancel", correct="back"),
    )
