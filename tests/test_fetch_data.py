"""Files from an address come whole or not at all, continue where they were cut, and stand in data/fetched."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from toy_site import CONTENT, SHA256, Site, serve_site
from toy_wheels import ZEROS, isolate

from stages.lib.download import download
from stages.lib.pins import UrlPin
from stages.lib.stage import StageError

KEY = "params.yaml: fetch.data.store"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    isolate(tmp_path, monkeypatch)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve_site() as site:
        yield site


def kept(tmp_path: Path) -> list[str]:
    """Return the names in the folder of downloads, without locks."""
    folder = tmp_path / "cache" / "differential" / "downloads"
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def refusal(pin: UrlPin, *, timeout: float = 5.0) -> str:
    """Return the one line with which a download is refused."""
    with pytest.raises(StageError) as error:
        download(pin, key=KEY, timeout=timeout)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_a_file_comes_once(site: Site, tmp_path: Path) -> None:
    assert download(site.pin(), key=KEY).read_bytes() == CONTENT
    assert download(site.pin(), key=KEY).read_bytes() == CONTENT
    assert site.asked == [""]
    assert kept(tmp_path) == [SHA256]


def test_a_cut_download_goes_on_where_it_ended(site: Site, tmp_path: Path) -> None:
    site.cuts = 2
    assert download(site.pin(), key=KEY).read_bytes() == CONTENT
    assert site.asked == ["", "bytes=100000-", "bytes=166666-"]
    assert kept(tmp_path) == [SHA256]


def cut(site: Site) -> None:
    """Have a download end for good after a third, as if the process had been killed."""
    site.cuts, site.ranges = 9, False
    assert "the 0.1 MB that came are kept, run again to go on" in refusal(site.pin())
    site.cuts, site.ranges = 0, True
    site.asked.clear()


def test_the_next_run_goes_on_where_the_last_one_ended(site: Site) -> None:
    cut(site)
    assert download(site.pin(), key=KEY).read_bytes() == CONTENT
    assert site.asked == ["bytes=100000-"]


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"ranges": False}, ["bytes=100000-"]),
        ({"etag": '"two"'}, ["bytes=100000-"]),
        ({"etag": '"two"', "careless": True}, ["bytes=100000-", ""]),
        ({"etag": '"two"', "careless": True, "content": CONTENT[:90_000]}, ["bytes=100000-", ""]),
    ],
)
def test_what_cannot_be_continued_starts_again(site: Site, changes: dict[str, object], asked: list[str]) -> None:
    cut(site)
    for name, value in changes.items():
        setattr(site, name, value)
    pin = site.pin()
    if site.content == CONTENT:
        assert download(pin, key=KEY).read_bytes() == CONTENT
    else:
        assert f"has sha256 {sha256(site.content).hexdigest()}, and {SHA256} is pinned" in refusal(pin)
    assert site.asked == asked


def test_a_server_that_always_cuts_is_given_up(site: Site) -> None:
    site.cuts = 99
    assert "cannot be downloaded: " in refusal(site.pin())
    assert len(site.asked) == 10


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_a_server_that_does_not_identify_the_file_is_asked_for_all_of_it(site: Site, etag: str) -> None:
    site.etag, site.cuts = etag, 1
    assert download(site.pin(), key=KEY).read_bytes() == CONTENT
    assert site.asked == ["", ""]


def test_another_hash_stops_names_both_and_keeps_nothing(site: Site, tmp_path: Path) -> None:
    said = refusal(site.pin(ZEROS))
    assert f"{KEY}.sha256: {site.url}/all.zip has sha256 {SHA256}, and {ZEROS} is pinned" in said
    assert kept(tmp_path) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(site: Site) -> None:
    download(site.pin(), key=KEY).write_bytes(b"damaged")
    assert download(site.pin(), key=KEY).read_bytes() == CONTENT


def test_a_redirect_is_followed_to_https_or_this_machine_only(site: Site) -> None:
    site.location = "http://mirror.example/all.zip"
    assert "redirects to http://mirror.example, which is not https; give another address" in refusal(site.pin())
    site.location = f"{site.url}/loop"
    assert "cannot be downloaded: " in refusal(site.pin())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": 404}, "all.zip answers 404 Not Found; check the address"),
        ({"status": 206}, "all.zip answers 206 Partial Content; check the address"),
        ({"claimed": 10**17}, "brings 100,000,000,000.0 MB and "),
    ],
)
def test_what_the_server_says_is_one_line(site: Site, changes: dict[str, int], message: str, tmp_path: Path) -> None:
    for name, value in changes.items():
        setattr(site, name, value)
    assert message in refusal(site.pin())
    assert kept(tmp_path) == []


def test_a_server_may_be_slow_but_not_silent(site: Site) -> None:
    site.pause, site.ranges = 0.4, False
    assert "cannot be downloaded: " in refusal(site.pin(), timeout=0.2)
    site.pause = 0.1
    assert download(site.pin(), key=KEY, timeout=1.0).read_bytes() == CONTENT


def test_a_server_that_is_not_there_is_one_line(site: Site) -> None:
    pin = site.pin().model_copy(update={"url": "http://127.0.0.1:1/all.zip"})
    assert "cannot be downloaded: " in refusal(pin)


@pytest.mark.parametrize(
    ("address", "suffix"),
    [
        ("all_phenopackets.zip", ".zip"),
        ("store-0.1.19.zip?download=1", ".zip"),
        ("store-0.1.19.tar.gz", ".tar.gz"),
        ("cases.csv.gz", ".csv.gz"),
        ("v1.2.gz", ".gz"),
        ("cases", ""),
    ],
)
def test_a_file_keeps_its_suffix(address: str, suffix: str) -> None:
    assert UrlPin(url=f"https://example.org/{address}", sha256=ZEROS, licence="MIT").suffix() == suffix
