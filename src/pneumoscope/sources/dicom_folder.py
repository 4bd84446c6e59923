"""A folder of films, DICOM or others, with a table of labels: ``--labels FILE``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pneumoscope.errors import DataNotFound, InputError, UnreadableData
from pneumoscope.records import DataRequest, Source
from pneumoscope.sources.annotations import annotate
from pneumoscope.sources.columns import find_columns
from pneumoscope.sources.files import fingerprint, list_films, typical_side
from pneumoscope.sources.labelled import LabelledFilms, match_films, share_named, told
from pneumoscope.sources.tablefile import read_table


def labelled_folder_source(request: DataRequest) -> Source:
    """The films below a folder, each with the label of its row in the table ``request.labels``.

    A row names a film by its path or file name, with or without suffix. Films without a row, with
    a row that several films match, without a label or with contradictory rows give records that
    cannot be read, with the reason. Raises DataNotFound, UnreadableData, BadLabels, and
    InputError for a named column that is not there.
    """
    root = Path(request.data).expanduser()
    if not root.is_dir():
        raise DataNotFound("there is no such folder", got=root, expected="a folder of films")
    if request.labels is None:
        raise InputError(
            "a folder of films needs a table of their labels",
            got=root,
            remedy="name it: --labels FILE",
        )
    table_path = request.labels.expanduser()
    table = read_table(table_path)
    listing = list_films(root)
    if not listing.files:
        raise UnreadableData("the folder holds no films", got=root, expected="DICOM or image files")
    columns = find_columns(table, request, share_named(listing.files))
    annotations = annotate(table, columns, request)
    match = match_films(listing.files, annotations, table_path)
    films = LabelledFilms(
        root,
        listing.files,
        [file.image_id for file in listing.files],
        match,
        private=columns.patient is not None,
    )
    notes = [*annotations.notes]
    if match.rows_without_film:
        notes.append(f"{match.rows_without_film} ids of the table name no film in the folder.")
    return Source(
        name=root.resolve().name,
        form="dicom",
        why=f"a folder of films and a table that names them in {columns.image!r} and gives labels "
        f"in {columns.label!r}",
        fingerprint=fingerprint("dicom", listing.files, table.digest, told(request)),
        count=len(films),
        native_size=typical_side(root, listing.files),
        records=films,
        notes=tuple(notes),
        passed_over=films.passed_over() + Counter(listing.passed_over),
    )
