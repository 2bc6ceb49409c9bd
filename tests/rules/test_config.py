"""Everything a technician can get wrong in devices.toml: each sentence names file, table and key, and what to do."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.transport import link_type
from hall_daemon.config import ConfigError, HallConfig, driver_names, load, read_secrets
from hall_daemon.profile import QUEUE_ITEM
from sim.bench import HALLS
from tests.rules.hall_room import PAUSED, PENSION, PLACES, RETIRED, START_UP, write_hall

DEVICES = """
[device.PRN-01]
driver = "printer_escpos"
port = "/dev/ttyS1"
baud = 115200
columns = 32

[device.KEY-01]
driver = "keypad_serial"
port = "/dev/ttyS3"

[device.IDR-01]
driver = "idcard_samv"
port = "/dev/ttyS4"

[device.IDR-02]
driver = "idcard_pcsc"
port = "pcsc:Hall Card 00 00"

[device.DSP-01]
driver = "display_onbon"
port = "/dev/ttyS2"
baud = 9600
address = 1
width_px = 128
height_px = 32

[device.DSP-02]
driver = "display_onbon"
port = "/dev/ttyS2"
baud = 9600
address = 2
width_px = 128
height_px = 32

[device.SCN-01]
driver = "scanner_escl"
port = "http://10.0.3.20:80/eSCL"

[kiosk.k1]
name = "1号取号机"
card_readers = ["IDR-01", "IDR-02"]
keypad = "KEY-01"
printer = "PRN-01"
queues = ["A", "H", "D"]
"""
WHOLE = PLACES.replace('queues = ["A", "H"]', 'queues = ["A", "H"]\ndisplay = "DSP-01"\nscanner = "SCN-01"') + DEVICES

Sentence = Callable[..., str]


@pytest.fixture
def sentence(tmp_path: Path) -> Sentence:
    """What is said about the hall with some text replaced; paths below the folder as DIR."""

    def said(*changes: tuple[str, str], items: str = "", environment: dict[str, str] | None = None) -> str:
        text = WHOLE
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        write_hall(tmp_path, text, items)
        with pytest.raises(ConfigError) as caught:
            load(tmp_path / "devices.toml", environment or {})
        message = str(caught.value)
        assert "\n" not in message
        return message.replace(str(tmp_path), "DIR")

    return said


def loaded(folder: Path, text: str = WHOLE, environment: dict[str, str] | None = None) -> HallConfig:
    return load(write_hall(folder, text) / "devices.toml", environment or {})


# --- what is right ----------------------------------------------------------------------------------------------------


def test_a_good_file_becomes_a_hall(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    profile = config.profile

    assert (config.code, config.host, config.port, config.province_url) == ("990000000000-01", "127.0.0.1", 8620, "")
    assert config.database == tmp_path / "var" / "hall.db"
    assert (config.blobs, config.epoch_file) == (tmp_path / "var" / "blobs", tmp_path / "var" / "hall.db.epoch")
    assert list(config.devices) == ["PRN-01", "KEY-01", "IDR-01", "IDR-02", "DSP-01", "DSP-02", "SCN-01"]
    assert [(d.name, d.baud) for d in config.devices.values() if d.driver == "display_onbon"] == [
        ("DSP-01", 9600), ("DSP-02", 9600),
    ]  # fmt: skip
    assert profile.windows_for("H") == ("1", "2")
    assert profile.windows_for("B") == ()
    assert [item.code for item in profile.items_at("k1")] == [START_UP, PAUSED, PENSION, RETIRED, f"{QUEUE_ITEM}D"]
    assert [item.suspended for item in profile.items_at("k1")] == [False, True, False, False, False]
    assert [zone.code for zone in profile.zones_at("k1")] == ["A", "D"]


@pytest.mark.parametrize("hall", ["small", "big"])
def test_the_model_halls_load(hall: str) -> None:
    config = load(HALLS / hall / "devices.toml", {})

    assert {device.driver for device in config.devices.values()} <= set(driver_names())
    assert all(config.profile.windows_for(queue) for queue in config.profile.queues)
    assert all(config.profile.items_at(kiosk) for kiosk in config.profile.kiosks)
    for device in config.devices.values():
        kind = link_type(device.port)
        assert kind is not None
        assert issubclass(kind, device.driver_type.Transport)


@pytest.mark.parametrize(
    "port", ["/dev/serial/by-path/x", "socket://10.0.3.9:4001", "rfc2217://serial.hall:4001", "socket://[::1]:9100"]
)
def test_every_port_of_a_byte_stream_will_do(tmp_path: Path, port: str) -> None:
    assert loaded(tmp_path, WHOLE.replace("/dev/ttyS1", port)).devices["PRN-01"].port == port


PSBC = '[device.KEY-02]\ndriver = "keypad_psbc"\nport = "/dev/ttyS5"\ngrades = { 01 = 1 }\nask_by = "beep"\n'


def test_a_pad_for_both_may_be_an_evaluator_or_a_keypad(tmp_path: Path) -> None:
    text = WHOLE + PSBC
    at_window = text.replace('display = "DSP-01"', 'display = "DSP-01"\nevaluator = "KEY-02"')
    assert loaded(tmp_path, at_window).profile.windows["1"].evaluator == "KEY-02"
    at_kiosk = text.replace('keypad = "KEY-01"', 'keypad = "KEY-02"')
    assert loaded(tmp_path, at_kiosk).profile.kiosks["k1"].keypad == "KEY-02"
    options = loaded(tmp_path, at_kiosk).devices["KEY-02"].options
    assert (getattr(options, "grades", {}), str(getattr(options, "ask_by", ""))) == ({"01": 1}, "beep")


def test_an_absolute_database_stays_where_it_is(tmp_path: Path) -> None:
    text = WHOLE.replace('database = "var/hall.db"', 'database = "/srv/hall.db"')

    assert loaded(tmp_path, text).database == Path("/srv/hall.db")


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"/nowhere\.toml: cannot be read: No such file or directory$"):
        load(tmp_path / "nowhere.toml", {})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("rubbish", "why"),
    [
        (b"[hall\ncode = 1", "at line 1, column 6"),
        (b"[hall]\ncode = 990000000000-01", "at line 2"),
        (b"[hall]\n[hall]\n", r"Cannot declare \('hall',\) twice"),
        (b"\xff\xfe\x00", "can't decode byte 0xff"),
    ],
)
def test_malformed_toml_is_told_with_its_line(tmp_path: Path, rubbish: bytes, why: str) -> None:
    (tmp_path / "devices.toml").write_bytes(rubbish)

    with pytest.raises(ConfigError, match=rf"devices\.toml: is no valid TOML: .*{why}"):
        load(tmp_path / "devices.toml", {})


# --- tables and keys --------------------------------------------------------------------------------------------------

DSP_02 = '[device.DSP-02]\ndriver = "display_onbon"\nport = "/dev/ttyS2"\nbaud = 9600\naddress = 2'
PRN_01 = '[device.PRN-01]\ndriver = "printer_escpos"\nport = "/dev/ttyS1"'

WRONG: dict[str, tuple[str, str, str]] = {
    # what is wrong: old text, new text, the sentence
    "no hall": ("[hall]", "[province]", "devices.toml: needs the table [hall]"),
    "a table nobody knows": (
        "[window.1]", "[windw.1]", "devices.toml: unknown table [windw]; did you mean 'window'?",
    ),
    "a table like nothing": (
        "[clerk.c003]", "[xyz]",
        "devices.toml: unknown table [xyz]; "
        "there is: board, clerk, device, hall, hours, kiosk, phone, province, queue, residents, voice, window, zone",
    ),
    "a key in the air": (
        "[zone.A]\n", "[zone]\nA = 5\n[zone.B]\n", "devices.toml: [zone] has no key 'A'; write a table [zone.NAME]",
    ),
    "a key nobody knows": (
        "columns = 32", "columns = 32\ncuter = true",
        "devices.toml: [device.PRN-01] has no key 'cuter'; did you mean 'cutter'?",
    ),
    "a key of the hall nobody knows": (
        'database = "var/hall.db"', 'database = "var/hall.db"\nport = 80',
        "devices.toml: [hall] has no key 'port'; there is: catalog, code, database, idle_minutes, listen, name, "
        "name_en, no_show_calls, outcome_required, timezone",
    ),
    "a key that is missing": (
        'database = "var/hall.db"\n', "", "devices.toml: [hall] needs the key 'database'",
    ),
    "a key that is misspelt": (
        "catalog =", "catalogue =", "devices.toml: [hall] needs the key 'catalog'; is 'catalogue' meant for it?",
    ),
    "an option that is misspelt": (
        "width_px", "width_xp", "devices.toml: [device.DSP-01] needs the key 'width_px'; is 'width_xp' meant for it?",
    ),
    "a number for a text": (
        'name = "注册登记区"', "name = 5", "devices.toml: [zone.A] name: is 5, should be a text in quotes",
    ),
    "a text for a list": (
        'queues = ["A", "H"]', 'queues = "A"',
        "devices.toml: [window.1] queues: is 'A', should be a list of texts, like [\"A\", \"B\"]",
    ),
    "a number in a list": (
        'queues = ["A", "H"]', 'queues = ["A", 5]',
        "devices.toml: [window.1] queues: is ['A', 5], should be a list of texts, like [\"A\", \"B\"]",
    ),
    "a text for a number": (
        "baud = 115200", 'baud = "115200"',
        "devices.toml: [device.PRN-01] baud: is '115200', should be a whole number",
    ),
    "a truth for a number": (
        "columns = 32", "columns = true", "devices.toml: [device.PRN-01] columns: is True, should be a whole number",
    ),
    "a number for a truth": (
        "columns = 32", "columns = 32\ncutter = 1",
        "devices.toml: [device.PRN-01] cutter: is 1, should be true or false",
    ),
    "a text for a fraction": (
        'port = "/dev/ttyS4"', 'port = "/dev/ttyS4"\ndebounce_s = "2"',
        "devices.toml: [device.IDR-01] debounce_s: is '2', should be a number",
    ),
    "a list for a table": (
        'port = "/dev/ttyS3"', 'port = "/dev/ttyS3"\nkeys = ["a"]',
        "devices.toml: [device.KEY-01] keys: is ['a'], should be a table like { name = \"value\" }",
    ),
    "a number in a table": (
        'port = "/dev/ttyS3"', 'port = "/dev/ttyS3"\nkeys = { a = 5 }',
        "devices.toml: [device.KEY-01] keys.a: is 5, should be a text in quotes",
    ),
    "a driver's range": (
        "columns = 32", "columns = 7", "devices.toml: [device.PRN-01] columns = 7: must be one of 32, 42, 48",
    ),
    # names
    "a hall code": (
        "990000000000-01", "99-1", "devices.toml: [hall] code: is '99-1', should look like '990000000000-01'",
    ),
    "a queue's letter": (
        "[queue.B]", "[queue.X]",
        "devices.toml: [queue.X]: a queue's letter is A to Z without I, O, Q, V, X and Y",
    ),
    "a device's name": (
        "[device.PRN-01]", "[device.printer1]",
        "devices.toml: [device.printer1]: a device is named like PRN-01, as on its sticker",
    ),
    "a window's name": (
        "[window.1]", '[window."1号窗口"]',
        "devices.toml: [window.1号窗口]: a window's name has at most 8 letters and digits",
    ),
    "a zone's name": (
        "[zone.E]", "[zone.Financial]",
        "devices.toml: [zone.Financial]: a zone's name has at most 8 letters and digits",
    ),
    "a clerk's name": (
        "[clerk.c001]", '[clerk."张 三"]',
        "devices.toml: [clerk.张 三]: a clerk's name has at most 32 letters and digits",
    ),
    "a kiosk's name": (
        "[kiosk.k1]", '[kiosk."k/1"]', "devices.toml: [kiosk.k/1]: a kiosk's name has at most 16 letters and digits",
    ),
    # references
    "a zone that is not there": (
        'zone = "A"', 'zone = "Q"', "devices.toml: [queue.A] zone: there is no zone 'Q'; there is: A, D, E",
    ),
    "a queue that is not there": (
        'queues = ["A", "H"]', 'queues = ["A", "Z"]',
        "devices.toml: [window.1] queues: there is no queue 'Z'; there is: A, B, D, H",
    ),
    "a device that is not there": (
        'printer = "PRN-01"', 'printer = "PRN-10"',
        "devices.toml: [kiosk.k1] printer: there is no device 'PRN-10'; did you mean 'PRN-01'?",
    ),
    "a kind of window": (
        '"special"', '"specal"',
        "devices.toml: [window.2] counter_kind: there is no counter kind 'specal'; did you mean 'special'?",
    ),
    "a driver that is not there": (
        "printer_escpos", "printer_escpoz",
        "devices.toml: [device.PRN-01] driver: there is no driver 'printer_escpoz'; did you mean 'printer_escpos'?",
    ),
    "an item that is not there": (
        PENSION, PENSION[:-1] + "9",
        f"devices.toml: [queue.H] items: the catalogue has no item '{PENSION[:-1]}9'; did you mean '{PENSION}'?",
    ),
    "an item in two queues": (
        f'"{PENSION}"', f'"{PENSION}", "{START_UP}"',
        f"devices.toml: [queue.H] items: '{START_UP}' stands in queue A too; an item has one queue",
    ),
    "a device of the wrong kind": (
        'display = "DSP-01"', 'display = "PRN-01"',
        "devices.toml: [window.1] display: PRN-01 is a printer (printer_escpos), not a display",
    ),
    "a reader of the wrong kind": (
        '["IDR-01", "IDR-02"]', '["IDR-01", "KEY-01"]',
        "devices.toml: [kiosk.k1] card_readers: KEY-01 is a keypad (keypad_serial), not a card_reader",
    ),
    "a keypad that is no evaluator": (
        'display = "DSP-01"', 'evaluator = "KEY-01"',
        "devices.toml: [window.1] evaluator: KEY-01 is a keypad (keypad_serial), not an evaluator",
    ),
    "a display over two windows": (
        'queues = ["H", "D"]', 'queues = ["H", "D"]\ndisplay = "DSP-01"',
        "devices.toml: [window.1] and [window.2] both use DSP-01; it serves one of them",
    ),
    "a reader at two kiosks": (
        "[kiosk.k1]", '[kiosk.k2]\nname = "2"\ncard_readers = ["IDR-02"]\nqueues = ["A"]\n\n[kiosk.k1]',
        "devices.toml: [kiosk.k2] and [kiosk.k1] both use IDR-02; it serves one of them",
    ),
    # ports
    "a port that is none": (
        "/dev/ttyS1", "COM3",
        "devices.toml: [device.PRN-01] port: 'COM3' is no port for printer_escpos; "
        "it needs /dev/..., socket://host:port, rfc2217://host:port or usb:vendor:product",
    ),
    "a port of another carrier": (
        "pcsc:Hall Card 00 00", "/dev/ttyS9",
        "devices.toml: [device.IDR-02] port: '/dev/ttyS9' is no port for idcard_pcsc; it needs pcsc:<reader name>",
    ),
    "a web device on a line": (
        "http://10.0.3.20:80/eSCL", "socket://10.0.3.20:80",
        "devices.toml: [device.SCN-01] port: 'socket://10.0.3.20:80' is no port for scanner_escl; "
        "it needs http://host:port/path",
    ),
    "a reader without a name": (
        "pcsc:Hall Card 00 00", "pcsc:",
        "devices.toml: [device.IDR-02] port: 'pcsc:' is no port for idcard_pcsc; it needs pcsc:<reader name>",
    ),
    "an address without its port": (
        "/dev/ttyS1", "socket://10.0.3.9",
        "devices.toml: [device.PRN-01] port: 'socket://10.0.3.9' is no port for printer_escpos; "
        "it needs /dev/..., socket://host:port, rfc2217://host:port or usb:vendor:product",
    ),
    "an address with a port beyond the last": (
        "http://10.0.3.20:80/eSCL", "http://10.0.3.20:80000/eSCL",
        "devices.toml: [device.SCN-01] port: 'http://10.0.3.20:80000/eSCL' is no port for scanner_escl; "
        "it needs http://host:port/path",
    ),
    "two speeds on one line": (
        DSP_02, DSP_02.replace("9600", "57600"),
        "devices.toml: DSP-01 and DSP-02 share /dev/ttyS2 but differ in baud (9600, 57600)",
    ),
    "the same address twice": (
        DSP_02, DSP_02.replace("address = 2", "address = 1"),
        "devices.toml: DSP-01 and DSP-02 have the same address 1 on /dev/ttyS2",
    ),
    "a line that cannot be shared": (
        'port = "/dev/ttyS4"', 'port = "/dev/ttyS1"',
        "devices.toml: PRN-01 and IDR-01 share /dev/ttyS1, but printer_escpos has no address on a shared line",
    ),
    "a line shared with one that has no address": (
        PRN_01 + "\nbaud = 115200", PRN_01.replace("ttyS1", "ttyS2") + "\nbaud = 9600",
        "devices.toml: PRN-01 and DSP-01 share /dev/ttyS2, but printer_escpos has no address on a shared line",
    ),
    # what the hall does for residents by itself
    "an age that nobody reaches": (
        "[zone.A]", "[residents]\nlarge_text_from = 600\n\n[zone.A]",
        "devices.toml: [residents] large_text_from: is 600, should be a whole number from 0 to 120",
    ),
    "an age in words": (
        "[zone.A]", '[residents]\npriority_from = "70"\n\n[zone.A]',
        "devices.toml: [residents] priority_from: is '70', should be a whole number from 0 to 120",
    ),
    "an age of nobody": (
        "[zone.A]", "[residents]\npriority_fom = 65\n\n[zone.A]",
        "devices.toml: [residents] has no key 'priority_fom'; did you mean 'priority_from'?",
    ),
    "a pinned item that is not there": (
        "[zone.A]", f'[residents]\npinned_items = ["{PENSION[:-1]}9"]\n\n[zone.A]',
        f"devices.toml: [residents] pinned_items: there is no item in any queue '{PENSION[:-1]}9'; "
        f"did you mean '{PENSION}'?",
    ),
    "three pinned items": (
        "[zone.A]", f'[residents]\npinned_items = ["{PENSION}", "{START_UP}", "{PENSION}"]\n\n[zone.A]',
        "devices.toml: [residents] pinned_items: names 3 items; at most 2 can stand first",
    ),
    # where it listens, and to whom it reports
    "an address to listen on": (
        "[hall]", '[hall]\nlisten = "8620"',
        "devices.toml: [hall] listen: is '8620', should look like '127.0.0.1:8620'",
    ),
    "a port beyond the last": (
        "[hall]", '[hall]\nlisten = "127.0.0.1:65536"',
        "devices.toml: [hall] listen: there is no port 65536; ports are 1 to 65535",
    ),
    "port nought": (
        "[hall]", '[hall]\nlisten = "127.0.0.1:0"',
        "devices.toml: [hall] listen: there is no port 0; ports are 1 to 65535",
    ),
    "open to everybody": (
        "[hall]", '[hall]\nlisten = "0.0.0.0:8620"',
        "devices.toml: [hall] listen: '0.0.0.0' can be reached from outside: set HALL_TOKEN_COUNTER, "
        "HALL_TOKEN_KIOSK and HALL_TOKEN_TECHNICIAN in the environment first",
    ),
    "another time zone": (
        "[hall]", '[hall]\ntimezone = "Europe/Berlin"',
        "devices.toml: [hall] timezone: is 'Europe/Berlin', should look like 'Asia/Shanghai'",
    ),
    "a province that is no address": (
        "[zone.A]", '[province]\nurl = "province.example"\n\n[zone.A]',
        "devices.toml: [province] url: is 'province.example', should look like 'https://province.example/hall-sync/v1'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(sentence: Sentence, what: str) -> None:
    old, new, expected = WRONG[what]

    assert sentence((old, new)) == expected


BEHIND = """
[device.DSP-09]
driver = "display_customer"
port = "/dev/ttyS1"
baud = 9600
dialect = "cd5220"
behind_printer = true
"""


def test_a_printer_and_the_display_on_its_pass_through_port_share_a_line(tmp_path: Path) -> None:
    text = WHOLE.replace("baud = 115200\n", "baud = 9600\ndisplay_behind = true\n", 1) + BEHIND
    devices = load(write_hall(tmp_path, text) / "devices.toml", {}).devices
    assert devices["PRN-01"].port == devices["DSP-09"].port


@pytest.mark.parametrize(
    ("printer", "display", "why"),
    [
        (
            "baud = 9600", BEHIND,
            "devices.toml: PRN-01 and DSP-09 share /dev/ttyS1, but printer_escpos has no address on a shared line"
            "; a display behind a printer is told by display_behind = true and its behind_printer = true",
        ),
        (
            "baud = 9600\ndisplay_behind = true", BEHIND + BEHIND.replace("-09", "-10"),
            "devices.toml: DSP-09 and DSP-10 have the same address behind the printer on /dev/ttyS1",
        ),
        (
            "display_behind = true", BEHIND,
            "devices.toml: PRN-01 and DSP-09 share /dev/ttyS1 but differ in baud (115200, 9600)",
        ),
    ],
)  # fmt: skip
def test_a_display_behind_a_printer_is_asked_for_in_both_tables(
    sentence: Sentence, printer: str, display: str, why: str
) -> None:
    assert sentence(("baud = 115200", printer), ("\n[device.KEY-01]", display + "\n[device.KEY-01]")) == why


def test_a_list_of_tables_is_answered_with_the_right_form(tmp_path: Path) -> None:
    (tmp_path / "devices.toml").write_text('[hall]\ncode = "990000000000-01"\n[[zone]]\nname = "A"\n', encoding="utf-8")

    with pytest.raises(ConfigError, match=r"devices\.toml: 'zone' should be tables \[zone\.NAME\]"):
        load(tmp_path / "devices.toml", {})


# --- the catalogue ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ("这不是目录", "Expecting value: line 1 column 1 (char 0)"),
        ("[]", "the whole file: Input should be a valid dictionary or instance of Catalog"),
        ('{"version": [], "items": []}', "version: Input should be a valid integer"),
        ('{"version": 1}', "items: Field required"),
        ('{"version": 1, "items": [{"code": "short"}]}', "items.0.code: String should match pattern '^[0-9A-Z]{31}$'"),
    ],
)  # fmt: skip
def test_a_garbage_catalogue_is_told_by_its_first_fault(sentence: Sentence, items: str, why: str) -> None:
    assert sentence(items=items) == f"devices.toml: [hall] catalog: DIR/catalog.json: is no catalogue: {why}"


def test_a_catalogue_that_is_not_there_is_named(sentence: Sentence) -> None:
    assert sentence(('"catalog.json"', '"nowhere.json"')) == (
        "devices.toml: [hall] catalog: DIR/nowhere.json: cannot be read: No such file or directory"
    )


# --- secrets ----------------------------------------------------------------------------------------------------------


def key(length: int, kid: str = "k1") -> str:
    return f"{kid}:{base64.b64encode(bytes(range(length))).decode()}"


@pytest.mark.parametrize(("name", "least"), [("HALL_SIGN_KEY", 16), ("HALL_PII_KEY", 48), ("HALL_MATCH_KEY", 16)])
def test_a_bad_key_is_named_and_never_shown(sentence: Sentence, name: str, least: int) -> None:
    short = key(least - 1)
    for value in (short, key(least, kid=""), "k1:", "k1"):
        said = sentence(environment={name: value})
        assert said == f"environment: {name} needs a name and at least {least} bytes, as kid:base64"
    for value in (f"k1:{'!' * 64}", "k1:abc", "k1:ключ"):
        assert sentence(environment={name: value}) == f"environment: {name} is not of the form kid:base64"


def test_good_keys_and_tokens_are_taken_from_the_environment() -> None:
    secrets = read_secrets(
        {"HALL_PII_KEY": key(48), "HALL_TOKEN_KIOSK": "one", "HALL_TOKEN_COUNTER": "", "HALL_TOKEN_OTHER": "x"}
    )

    assert secrets.pii is not None
    assert (secrets.pii.kid, secrets.pii.secret) == ("k1", bytes(range(48)))
    assert (secrets.sign, secrets.match, secrets.tokens) == (None, None, {"kiosk": "one"})
    assert "AAEC" not in repr(secrets)


def test_with_tokens_the_hall_may_listen_to_its_network(tmp_path: Path) -> None:
    text = WHOLE.replace("[hall]", '[hall]\nlisten = "0.0.0.0:8620"')

    assert loaded(tmp_path, text, {"HALL_TOKEN_COUNTER": "secret"}).host == "0.0.0.0"
