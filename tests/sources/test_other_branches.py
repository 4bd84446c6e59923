"""Branches of a folder that hold no films of chests, by their words or by their classes."""

from pathlib import Path

import pytest
from tests.helpers.opening import asked, counted, films, many, opened

from pneumoscope.errors import UnreadableData
from pneumoscope.imaging.views import aside_of_folder
from pneumoscope.records import DataRequest
from pneumoscope.sources.asked import answered
from pneumoscope.sources.meaning.words import words_of

CHEST = many("chest_xray/NORMAL/{}.png", 4) + many("chest_xray/PNEUMONIA/{}.png", 4)


@pytest.mark.parametrize(
    ("branch", "reason"),
    [
        ("OCT", "pictures of another modality"),
        ("Brain_MRI/all", "pictures of another modality"),
        ("CT scans", "pictures of another modality"),
        ("knee", "films of another part of the body"),
        ("Hand", "films of another part of the body"),
    ],
)
def test_a_branch_of_another_modality_or_part_is_left_out(
    branch: str, reason: str, tmp_path: Path
) -> None:
    others = [f"{branch}/train/{name}/{i}.png" for name in ("CNV", "NORMAL") for i in range(3)]
    source = opened(films(tmp_path / "all", *CHEST, *others))
    assert counted(source) == {(0, None): 4, (1, None): 4}
    assert source.passed_over == {f"{reason}, in {branch.split('/')[0]!r}": 6}


@pytest.mark.parametrize("name", ["hand labelled", "arm_1", "Oct_2023", "Chest", "CT_Xray", "abc"])
def test_other_words_name_no_branch(name: str) -> None:
    assert aside_of_folder(words_of(name)) is None
    assert aside_of_folder(["oct"], ["sep"]) is None


@pytest.mark.parametrize("inner", ["OCT/{}", "x/OCT/{}"])
def test_where_all_is_of_another_kind_it_is_refused(inner: str, tmp_path: Path) -> None:
    films(tmp_path, *(inner.format(f"{c}/1.png") for c in ("NORMAL", "PNEUMONIA")))
    for data in (tmp_path / "OCT", tmp_path):
        if data.is_dir():
            with pytest.raises(UnreadableData, match="no film of a chest"):
                opened(data)


def test_normal_films_beside_foreign_classes_are_not_left_behind(tmp_path: Path) -> None:
    others = [f"eyes/{s}/{n}/{i}.png" for s in ("train", "test") for n in ("CNV", "DME", "NORMAL")
              for i in range(3)]  # fmt: skip
    error = asked(films(tmp_path / "all", *CHEST, *others))
    assert error.answer == ("--classes", "eyes=ignore")
    assert "6 normal films in 'eyes'" in error.hints[0]
    rest = DataRequest(str(tmp_path / "all"), classes={"other": "ignore"})
    assert any(note.startswith("6 normal films lie in 'eyes'") for note in opened(
        tmp_path / "all", rest).notes)  # fmt: skip
    source = opened(tmp_path / "all", answered(DataRequest(str(tmp_path / "all")), error.answer))
    assert counted(source) == {(0, None): 4, (1, None): 4}


def test_classes_of_a_chest_beside_one_another_are_no_foreign_branch(tmp_path: Path) -> None:
    names = ("COVID", "Lung_Opacity", "Viral Pneumonia", "NORMAL", "Other")
    error = asked(films(tmp_path / "all", *CHEST, *(f"set/{n}/1.png" for n in names)))
    assert "set=ignore" not in error.answer
