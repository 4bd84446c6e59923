import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.helpers.processes import python

from pneumoscope.audit.audit import audit, first_look
from pneumoscope.audit.findings import CODES, Finding, by_severity

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "chest_xray"
PARTS = {
    "schema",
    "name",
    "form",
    "source",
    "door",
    "seed",
    "counts",
    "findings",
    "not_provable",
    "duplicates",
    "baselines",
    "facts_by_class",
    "splits",
    "genealogy",
}


def spoiled(make_set, drawn):
    films, count = drawn.copy(), len(drawn)
    films[7], films[20] = films[3], 255 - films[20]
    films[8] = 0
    hashes = [f"h{3 if i == 7 else i}" for i in range(count)]
    return make_set(
        films,
        split=["test" if i == 7 else "train" for i in range(count)],
        pixel_hash=hashes,
        fact_bytes=[1000 + (i // 4) % 2 * 500 for i in range(count)],
    )


def test_one_audit_finds_everything_that_was_spoiled(make_set, drawn) -> None:
    found = audit(spoiled(make_set, drawn))
    codes = {f.code for f in found.findings if f.status == "found"}
    assert codes >= {
        "DUP-EXACT",
        "DUP-ACROSS-SPLITS",
        "INVERTED",
        "CONSTANT",
        "SHORTCUT-METADATA",
    }
    assert {f.code for f in found.severe} >= {"DUP-ACROSS-SPLITS", "SHORTCUT-METADATA"}


def test_a_sound_set_is_never_called_clean(make_set, drawn) -> None:
    prepared = make_set(drawn, split="train", pixel_hash=[f"h{i}" for i in range(300)])
    found = audit(prepared)
    assert [f.code for f in found.findings if f.status == "found"] == []
    assert {f.code for f in found.findings} >= {"DUP-OTHER-EXPOSURE", "SHORTCUT-METADATA"}
    assert found.severe == ()


def test_the_json_is_plain_complete_and_the_same_each_time(make_set, drawn) -> None:
    prepared = spoiled(make_set, drawn[:120])
    first, second = (
        json.dumps(audit(prepared, prepared, seed=2).to_json(), allow_nan=False) for _ in range(2)
    )
    assert first == second
    plain = json.loads(first)
    assert set(plain) == PARTS
    for finding in (*plain["findings"], *plain["not_provable"]):
        assert finding["about"] == CODES[finding["code"]]
        assert len(finding["examples"]) <= 12
        assert finding["title"].endswith(".")
        assert finding["remedy"]
    assert plain["genealogy"]["found"] == 119  # all but the constant film


def test_findings_stand_by_severity_and_the_unprovable_last() -> None:
    order = [("warning", "not provable"), ("info", "found"), ("severe", "found")]
    given = [Finding("TINY", s, "t.", 1, "r", (), status) for s, status in order]
    assert [(f.severity, f.status) for f in by_severity(given)] == order[::-1]


def test_every_code_in_use_is_explained() -> None:
    folder = Path(__file__).parents[2] / "src" / "pneumoscope" / "audit"
    text = "".join(p.read_text(encoding="utf-8") for p in folder.glob("*.py"))
    used = set(re.findall(r'"([A-Z]+(?:-[A-Z]+)+)"', text))
    assert used <= set(CODES)


def test_an_audit_leaves_the_set_as_it_was(make_set, drawn) -> None:
    prepared = spoiled(make_set, drawn[:120])
    images, table = prepared.images.copy(), prepared.table.copy()
    audit(prepared)
    assert np.array_equal(prepared.images, images)
    assert prepared.table.equals(table)


def test_a_set_of_a_few_films_can_be_audited(make_set, drawn) -> None:
    for n in (1, 2, 5):
        found = audit(make_set(drawn[:n], label=[None] * n), make_set(drawn[:1]))
        assert found.counts.films == n
        assert json.dumps(found.to_json(), allow_nan=False)


def test_the_first_look_takes_the_table_alone(make_set, drawn) -> None:
    prepared = spoiled(make_set, drawn)
    codes = {f.code for f in first_look(prepared)}
    assert "DUP-ACROSS-SPLITS" in codes
    assert not any(code.startswith(("SHORTCUT", "INVERTED")) for code in codes)


def test_the_listener_hears_each_stage(make_set, drawn) -> None:
    heard: list[str] = []

    class Ear:
        def stage(self, title: str) -> None:
            heard.append(title)

        def choice(self, what: str, choice: str, why: str) -> None:
            pass

        def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
            pass

    audit(make_set(drawn[:10]), make_set(drawn[10:20]), Ear())
    assert len(heard) == 5


def test_no_torch_is_needed() -> None:
    code = "import sys, pneumoscope.audit.audit; sys.exit('torch' in sys.modules)"
    assert python(code).returncode == 0


@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data/chest_xray beside the checkout")
def test_the_duplicates_of_the_real_test_split_are_the_known_six(make_set) -> None:
    files = sorted((DATA / "test").rglob("*.jpeg"))
    native = [np.asarray(Image.open(f).convert("L")) for f in files]
    films = np.stack([np.asarray(Image.fromarray(f).resize((112, 112))) for f in native])
    prepared = make_set(
        films,
        image_id=[f.name for f in files],
        label=[int(f.parent.name == "PNEUMONIA") for f in files],
        pixel_hash=[f.tobytes().hex()[:20000] for f in native],
    )
    found = audit(prepared)
    # By the bytes of the files: 30 groups in all, 24 in train and 6 in test.
    assert (found.duplicates.exact_groups, found.duplicates.redundant) == (6, 6)
    assert found.duplicates.near_pairs == 0


def test_an_id_for_every_film_is_no_proof_of_separate_patients(make_set) -> None:
    from pneumoscope.audit.counts import count_findings

    images = np.zeros((200, 28, 28), np.uint8)
    own = make_set(images, patient_id=[f"p{i}" for i in range(200)])
    assert "PATIENT-EACH-FILM" in {f.code for f in count_findings(own) if f.status != "found"}
    joined = [f"p{i // 2}" for i in range(200)]
    shared = make_set(images, patient_id=joined)
    assert "PATIENT-EACH-FILM" not in {f.code for f in count_findings(shared)}
