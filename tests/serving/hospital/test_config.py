"""The node's file: what it says, and what it may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.hospital.config import NodeConfig, Rule
from serving.hospital.header import Header
from zoo import errors

SMALLEST = 'allow = ["CR1"]\nstore = "sqlite:///store.db"\n[[rule]]\nmodel = "chest"\n'
CHEST = Header(modality="CR", body_part="CHEST", view="PA", description="Thorax pa\nRoutine")


def read(folder: Path, text: str) -> NodeConfig:
    (folder / "node.toml").write_text(text)
    return NodeConfig.load(folder / "node.toml")


def test_the_smallest_file_is_read(tmp_path: Path):
    config = read(tmp_path, SMALLEST)
    assert (config.ae_title, config.port, config.retention_days) == ("KERASCOPE", 11112, 30)
    assert config.models(CHEST) == ["chest"]


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({}, True),
        ({"modality": ["DX", "cr"]}, True),
        ({"modality": ["CT"]}, False),
        ({"body_part": ["CHEST"], "view": ["AP", "PA"]}, True),
        ({"body_part": ["CHEST"], "view": ["LL"]}, False),
        ({"description": "thorax|chest"}, True),
        ({"description": "^routine"}, False),
        ({"description": "(?m)^routine"}, True),
        ({"description": "knee"}, False),
    ],
)
def test_a_rule_fits_when_every_line_of_it_does(rule: dict[str, object], fits: bool):
    assert Rule(model="chest", **rule).fits(CHEST) is fits  # type: ignore[arg-type]


def test_an_image_that_does_not_say_fits_no_rule_that_asks():
    assert not Rule(model="chest", view=("PA",)).fits(Header(modality="CR"))


def test_an_image_may_go_to_several_models_and_to_each_once(tmp_path: Path):
    rules = "".join(f'[[rule]]\nmodel = "{model}"\n' for model in ("chest", "bone", "chest"))
    assert read(tmp_path, SMALLEST + rules).models(CHEST) == ["chest", "bone"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SMALLEST.replace("allow", "alow"), "alow: is no key that is known"),
        (SMALLEST.replace('["CR1"]', '["A VERY LONG AE TITLE"]'), "allow: .*1 to 16 characters"),
        (SMALLEST.replace('allow = ["CR1"]\n', ""), "allow_any"),
        ("allow_any = true\n" + SMALLEST, "one of the two"),
        (SMALLEST.partition("[[")[0], "rule"),
        (SMALLEST + 'description = "("\n', r"rule\.1\.description: .*no regular expression"),
        (SMALLEST + '[[destination]]\nae_title = "PACS"\nhost = "pacs"\nport = 104\ntls = true\n', r"\[tls\]"),
        (SMALLEST + 'results = ["sr"]\n', r"rule\.1\.results"),
        (SMALLEST + 2 * '[[destination]]\nae_title = "PACS"\nhost = "pacs"\nport = 104\n', "same ae_title"),
        ("allow = [", "is no TOML"),
        (SMALLEST + "[web]\n", r"\[web\] needs \[tls\], and token_secret or token_jwks"),
        ('host = "0.0.0.0"\n' + SMALLEST + "[web]\ninsecure = true\n", r"`host` must be 127\.0\.0\.1"),
        (SMALLEST + '[[destination]]\nae_title = "PACS"\nhost = "pacs"\n', "name `host` and `port`, or a `url`"),
        (SMALLEST + '[[destination]]\nae_title = "PACS"\nport = 104\nurl = "https://pacs/x"\n', "takes the place of"),
        (SMALLEST + '[[archive]]\nname = "PACS"\nurl = "pacs/x"\n', r"archive\.1\.url"),
        (SMALLEST + '[[archive]]\nname = "PACS"\nurl = "https://me:secret@pacs/x"\n', "`password_file` instead"),
        (SMALLEST + '[[archive]]\nname = "PACS"\nurl = "http://pacs/x"\ntoken_file = "t"\n', "for all to read"),
        (SMALLEST + '[[archive]]\nname = "PACS"\nurl = "https://pacs/x"\nuser = "me"\n', "go together"),
        (SMALLEST + 2 * '[[archive]]\nname = "PACS"\nurl = "https://pacs/x"\n', "same name"),
    ],
)
def test_what_cannot_be_is_named_with_its_place(tmp_path: Path, text: str, words: str):
    with pytest.raises(errors.BadConfig, match=words):
        read(tmp_path, text)


def test_the_store_may_come_from_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = SMALLEST.replace('store = "sqlite:///store.db"\n', "")
    monkeypatch.delenv("KERASCOPE_STORE", raising=False)
    with pytest.raises(errors.BadConfig, match="KERASCOPE_STORE"):
        read(tmp_path, text)
    monkeypatch.setenv("KERASCOPE_STORE", "sqlite:///elsewhere.db")
    assert read(tmp_path, text).store == "sqlite:///elsewhere.db"


def test_paths_are_relative_to_the_file(tmp_path: Path):
    text = 'spool = "spool"\n' + SMALLEST + '[tls]\ncertificate = "node.pem"\nkey = "/etc/node.key"\n'
    text += '[web]\ntoken_secret = "secret"\n[[archive]]\nname = "PACS"\nurl = "https://pacs/x"\nauthority = "ca.pem"\n'
    config = read(tmp_path, text)
    assert (config.web.token_secret, config.archive[0].authority) == (tmp_path / "secret", tmp_path / "ca.pem")
    assert config.spool == tmp_path / "spool"
    assert config.tls is not None
    assert (config.tls.certificate, config.tls.key) == (tmp_path / "node.pem", Path("/etc/node.key"))


def test_an_archive_is_found_by_its_name(tmp_path: Path):
    config = read(tmp_path, SMALLEST + '[[archive]]\nname = "PACS"\nurl = "https://pacs/x"\n')
    assert config.archive_named("PACS").where == "pacs"
    with pytest.raises(errors.BadConfig, match=r"no \[\[archive\]\] 'RIS'; it names PACS"):
        config.archive_named("RIS")
