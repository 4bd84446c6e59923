"""Names of columns by what they hold, and what the user said of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from pneumoscope.errors import InputError, nearest
from pneumoscope.sources.tables.bounds import Table

ROLES = ("image", "label", "patient", "split")
"""What ``--column`` can name."""

NONE = "none"
"""What ``--column patient=none`` says: that the table has no such column."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "image": (
        *("imagepath", "filepath", "path", "imagefilepath", "imagefile", "filename", "file"),
        *("imagefilename", "pathtoimage", "fname", "image", "images", "img", "imgpath", "imgname"),
        *("imagename", "imagenames", "imagefilenames", "xrayimagename", "imageindex", "imageid"),
        *("imgid", "imageurl", "url", "dicompath", "dicomfile", "dicomfilename", "dicom"),
        *("datei", "dateiname", "bild", "bildname", "bilddatei", "fichier", "nomfichier"),
        *("nomdufichier", "archivo", "nombrearchivo", "imagen", "arquivo", "nomearquivo", "imagem"),
        *("图像", "图片", "影像", "文件名", "图像文件", "影像编号", "图像名称"),
        *("dicomid", "filepathpng", "imageuid", "sopinstanceuid", "id", "patientid"),
    ),
    "label": (
        *("label", "labels", "target", "class", "classname", "labelname", "category", "classid"),
        *("pneumonia", "finding", "findings", "findinglabels", "diagnosis", "diagnoses", "disease"),
        *("diseases", "result", "groundtruth", "y", "diagnose", "befund", "diagnostic"),
        *("diagnostico", "diagnóstico", "diagnosi", "hallazgo", "laudo", "诊断", "标签", "类别"),
    ),
    "patient": (
        *("patientid", "patient", "subjectid", "subject", "personid", "person", "pid"),
        *("deidpatientid", "anonpatientid", "empianon", "empi", "participantid", "participant"),
        *("mrn", "medicalrecordnumber", "patientnumber", "patientno", "patientnr", "patientuid"),
        *("patientname", "patientcode", "patid", "ptid", "ptno", "subjectnumber", "subjectcode"),
        *(
            "hospitalnumber",
            "hospitalno",
            "nhsnumber",
            "chartnumber",
            "subj",
            "subjid",
            "pat",
            "pt",
        ),
        *("paciente", "idpaciente", "patientennummer", "patientenid", "patientnum", "npatient"),
        *("nopatient", "numpatient", "idpatient", "患者编号", "病人编号", "患者"),
    ),
    # Films of one study show one patient, who may have others.
    "study": (
        *("studyinstanceuid", "studyuid", "studyid", "study", "accessionnumber", "accession"),
        *("examid", "exam", "caseid", "encounterid", "admissionid", "uid", "reportid"),
    ),
    "split": (
        *("split", "set", "subset", "partition", "datasettype", "dataset", "fold", "usage"),
        *("phase", "splits", "datasplit"),
    ),
    "reader": (
        *("radid", "reader", "readerid", "radiologist", "radiologistid", "annotator"),
        *("annotatorid", "rater", "raterid", "observer", "observerid", "expert", "labeler"),
    ),
}
"""Folded names by role, the likeliest first."""

BOX = (
    ("x", "bboxx", "boxx"),
    ("y", "bboxy", "boxy"),
    ("width", "w", "bboxwidth", "bboxw", "boxwidth"),
    ("height", "h", "bboxheight", "bboxh", "boxheight"),
)


_RSNA = frozenset(("patientid", "x", "y", "width", "height", "target"))

COUNTS = frozenset(("", "column1", "unnamed0", "index", "row", "rownumber"))
"""Folded names of columns that number the rows of their own table."""


def folded(name: str) -> str:
    """``name`` without case, spaces and punctuation: ``Image Index``, ``image_index`` are one."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name).casefold())


def named(table: Table, role: str, besides: Collection[str] = ()) -> list[str]:
    """The columns whose names are known for ``role``, the likeliest first."""
    by_name: dict[str, list[str]] = {}
    for name in table.frame.columns:
        if name not in besides:
            by_name.setdefault(folded(name), []).append(name)
    return [name for known in NAMES[role] for name in by_name.get(known, ())]


def has_a_role(name: str, *but: str) -> bool:
    """Whether the name of a column is known for any role but those."""
    plain = folded(name)
    return any(plain in names for role, names in NAMES.items() if role not in but)


def of_studies(name: str | None) -> bool:
    """Whether the name of a column is one of studies, of which a patient may have several."""
    return name is not None and folded(name) in NAMES["study"]


def few(names: Iterable[str], most: int = 6) -> str:
    """Names in quotes, the first few of many."""
    listed = list(names)
    told = ", ".join(repr(name) for name in listed[:most])
    return told if len(listed) <= most else f"{told} and {len(listed) - most} more"


def said_columns(table: Table, columns: Mapping[str, str]) -> dict[str, str]:
    """The columns that the user named, by role, as the table writes them; ``""`` where the user
    said that there is none. Raises InputError for one that is not there."""
    return {role: _said(table, role, name) for role, name in columns.items()}


def listed(table: Table, name: str) -> list[str]:
    """The columns that ``label=A,B`` or ``label=*_reader1`` names. Raises InputError for one that
    is not there."""
    names = [str(one) for one in table.frame.columns]
    found: list[str] = []
    for part in [name] if _alike(names, name) else map(str.strip, name.split(",")):
        if not (alike := _alike(names, part)):
            raise InputError(
                f"the table has no column {part!r}", got=table.where, expected=nearest(part, names)
            )
        found += alike
    return list(dict.fromkeys(found))


def _alike(names: Sequence[str], part: str) -> list[str]:
    if part in names:
        return [part]
    if "*" in part:
        return [name for name in names if fnmatchcase(name, part.replace("[", "[[]"))]
    return [name for name in names if folded(name) == folded(part)]


def _said(table: Table, role: str, name: str) -> str:
    names = [str(one) for one in table.frame.columns]
    if role not in ROLES:
        raise InputError(
            "a column was named for an unknown use", got=role, expected=nearest(role, ROLES)
        )
    if table.headless and name.isdecimal():
        name = f"column {name}"
    alike = [n for n in names if n == name] or [n for n in names if folded(n) == folded(name)]
    if name in table.unread:
        raise InputError(f"the column {name!r} holds neither text nor numbers", got=table.where)
    if not alike and name == NONE and role in ("patient", "split"):
        return ""
    if not alike and role == "label" and listed(table, name):
        return name
    if not alike:
        raise InputError(
            f"the table has no column {name!r}", got=table.where, expected=nearest(name, names)
        )
    if len(alike) > 1:
        raise InputError(f"several columns could be {name!r}", got=few(alike), expected="one")
    return alike[0]


def is_rsna(table: Table) -> bool:
    """Whether a table is that of the RSNA challenge, by its columns; films may be another's."""
    return {folded(name) for name in table.frame.columns} >= _RSNA
