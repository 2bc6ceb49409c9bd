"""Bytes of the eSCL scanner's driver alone: what it writes, and what it makes of what it reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import drivers.scanner_escl as escl
from drivers.base import BadReply, ColorMode, Condition, PageSource, ScanProfile
from sim.stopwatch import Stopwatch

GOLDEN_SETTINGS = b"""<?xml version="1.0" encoding="UTF-8"?>
<scan:ScanSettings xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm"
                   xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03">
  <pwg:Version>2.0</pwg:Version>
  <scan:Intent>Document</scan:Intent>
  <pwg:ScanRegions><pwg:ScanRegion>
    <pwg:ContentRegionUnits>escl:ThreeHundredthsOfInches</pwg:ContentRegionUnits>
    <pwg:XOffset>0</pwg:XOffset><pwg:YOffset>0</pwg:YOffset>
    <pwg:Width>2480</pwg:Width><pwg:Height>3508</pwg:Height>
  </pwg:ScanRegion></pwg:ScanRegions>
  <pwg:InputSource>Platen</pwg:InputSource>
  <scan:ColorMode>RGB24</scan:ColorMode>
  <pwg:DocumentFormat>image/jpeg</pwg:DocumentFormat>
  <scan:DocumentFormatExt>image/jpeg</scan:DocumentFormatExt>
  <scan:XResolution>300</scan:XResolution><scan:YResolution>300</scan:YResolution>
</scan:ScanSettings>
"""


def test_settings_are_the_bytes_of_the_protocol_document() -> None:
    caps = escl.InputCaps(colors=frozenset({"RGB24"}), format_ext=True)
    assert escl.encode_settings(ScanProfile(dpi=300), caps, 300) == GOLDEN_SETTINGS


def test_settings_ask_for_a_card_on_both_sides_only_as_the_scanner_can() -> None:
    profile = ScanProfile(
        source=PageSource.FEEDER, duplex=True, color=ColorMode.GRAY, dpi=300, width_mm=85.6, height_mm=54.0
    )
    caps = escl.InputCaps(max_height=600, colors=frozenset({"RGB24"}))
    text = escl.encode_settings(profile, caps, 300).decode()
    assert "<pwg:Width>1011</pwg:Width><pwg:Height>600</pwg:Height>" in text
    assert "<pwg:InputSource>Feeder</pwg:InputSource>" in text
    assert "<scan:Duplex>true</scan:Duplex>" in text
    assert "<scan:ColorMode>RGB24</scan:ColorMode>" in text
    assert "DocumentFormatExt" not in text


@pytest.mark.parametrize(
    ("wanted", "offered", "chosen"),
    [(200, (75, 200, 300), 200), (200, (100, 150, 300, 600), 300), (600, (100, 300), 300), (200, (), 200)],
)
def test_resolution_is_never_lower_than_wanted_if_the_scanner_has_it(
    wanted: int, offered: tuple[int, ...], chosen: int
) -> None:
    assert escl.choose_dpi(wanted, escl.InputCaps(resolutions=offered)) == chosen


def test_resolution_from_a_range_stays_inside() -> None:
    caps = escl.InputCaps(range_dpi=(100, 600))
    assert [escl.choose_dpi(dpi, caps) for dpi in (75, 200, 1200)] == [100, 200, 600]


CAPABILITIES = b"""\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>
<!-- other prefixes, a default namespace, profiles listed once for all sources -->
<ScannerCapabilities xmlns="http://schemas.hp.com/imaging/escl/2011/05/03" xmlns:p="http://www.pwg.org/schemas/2010/12/sm">
 <p:Version> 2.6 </p:Version><p:MakeAndModel>ACME  DS-1
 </p:MakeAndModel><p:SerialNumber>S1</p:SerialNumber>
 <SettingProfiles><SettingProfile><ColorModes><ColorMode>Grayscale8</ColorMode></ColorModes>
 <SupportedResolutions><ResolutionRange><XResolutionRange><Min>50</Min><Max>1200</Max></XResolutionRange></ResolutionRange>
 </SupportedResolutions></SettingProfile></SettingProfiles>
 <Adf><AdfSimplexInputCaps><MaxWidth>2550</MaxWidth><MaxHeight>x</MaxHeight></AdfSimplexInputCaps>
 <FeederCapacity>1</FeederCapacity></Adf>
</ScannerCapabilities>"""


def test_capabilities_are_read_by_local_names() -> None:
    caps = escl.decode_capabilities(CAPABILITIES)
    assert (caps.identity.model, caps.identity.serial, caps.version) == ("ACME DS-1", "S1", "2.6")
    assert caps.platen is None
    assert caps.duplex is None
    assert caps.feeder == escl.InputCaps(max_width=2550, colors=frozenset({"Grayscale8"}), range_dpi=(50, 1200))
    assert caps.sheets_per_job == 1


@pytest.mark.parametrize(
    ("state", "adf", "conditions"),
    [
        ("Idle", "ScannerAdfLoaded", set()),
        ("Idle", "ScannerAdfEmpty", {Condition.FEEDER_EMPTY}),
        ("Idle", "", set()),
        ("Processing", "ScannerAdfProcessing", {Condition.BUSY}),
        ("Testing", "ScannerAdfLoaded", {Condition.WARMING_UP}),
        ("Stopped", "ScannerAdfJam", {Condition.FEEDER_JAM}),
        ("Stopped", "ScannerAdfLoaded", {Condition.DEVICE_FAULT}),
        ("Down", "", {Condition.DEVICE_FAULT}),
        ("Idle", "ScannerAdfDoorOpen", {Condition.COVER_OPEN}),
        ("Idle", "SomethingNew", set()),
    ],
)
def test_status_becomes_conditions(state: str, adf: str, conditions: set[Condition]) -> None:
    body = f'<s:ScannerStatus xmlns:s="x"><State>{state}</State><s:AdfState>{adf}</s:AdfState></s:ScannerStatus>'
    assert escl.decode_status(body.encode()).conditions == conditions


LAUGHS = '<!DOCTYPE a [<!ENTITY b "' + "ha" * 50 + '"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Login",
        b"<ScannerStatus/>"[:-2],
        (LAUGHS + "<ScannerStatus>&c;</ScannerStatus>").encode(),
        (LAUGHS + "<ScannerStatus>&c;</ScannerStatus>").encode("utf-16"),
        b"<Other/>",
        b"<ScannerStatus>" + b" " * escl.LARGEST_XML + b"</ScannerStatus>",
        b"<ScannerStatus>\xff</ScannerStatus>",
    ],
    ids=["empty", "html", "cut", "entities", "entities in utf-16", "other document", "huge", "not utf-8"],
)
def test_documents_that_are_no_status_are_bad_replies(body: bytes) -> None:
    with pytest.raises(BadReply):
        escl.decode_status(body)


def test_deeply_nested_document_is_read_or_refused() -> None:
    deep = b"<a>" * 30_000 + b"</a>" * 30_000
    with pytest.raises(BadReply):
        escl.decode_status(deep)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_arbitrary_documents_raise_only_bad_reply(body: bytes) -> None:
    for decode in (escl.decode_capabilities, escl.decode_status):
        with pytest.raises(BadReply):
            decode(body)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("http://127.0.0.1:1/eSCL/ScanJobs/5", "/eSCL/ScanJobs/5"),
        ("https://printer.local/eSCL/ScanJobs/5/", "/eSCL/ScanJobs/5"),
        ("/eSCL/ScanJobs/5", "/eSCL/ScanJobs/5"),
        ("ScanJobs/5", "/eSCL/ScanJobs/5"),
    ],
)
def test_only_the_path_of_a_location_counts(location: str, path: str) -> None:
    assert escl.job_path("http://10.0.3.20/eSCL/ScanJobs", location) == path


@pytest.mark.parametrize("location", ["", "  ", "http://x", "/a b", "/" + "x" * 600, "http://[::1", "/é"])
def test_useless_location_is_a_bad_reply(location: str) -> None:
    with pytest.raises(BadReply):
        escl.job_path("http://10.0.3.20/eSCL/ScanJobs", location)


@pytest.mark.parametrize("pages", [0, 1001])
def test_option_out_of_range_names_key_and_range(pages: int) -> None:
    with pytest.raises(ValueError, match=r"most_pages.*1 to 1000"):
        escl.EsclOptions(most_pages=pages)


def test_a_location_of_many_slashes_is_refused_at_once() -> None:
    """Found by fuzzing: a pattern that could be matched in many ways took hours for this one."""
    watch = Stopwatch()
    with pytest.raises(BadReply):
        escl.job_path("http://192.0.2.1/eSCL/ScanJobs", "///a" + "/" * 60 + "\x03/-[\x01")
    assert watch.s < 1.0
