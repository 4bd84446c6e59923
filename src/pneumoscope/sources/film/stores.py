"""Stores of films that are not read: archives, HDF5, TFRecords, pickles, volumes, raw pixels. They
are named, with what to do, be they given themselves or all that lies in a folder."""

from __future__ import annotations

import shlex
from itertools import islice
from pathlib import Path

from pneumoscope.errors import UnreadableData

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_STORES = {
    **dict.fromkeys((".h5", ".hdf5", ".mat"), "an HDF5 or MATLAB file"),
    **dict.fromkeys((".tfrec", ".tfrecord", ".tfrecords"), "TFRecords"),
    **dict.fromkeys((".pkl", ".pickle", ".pt", ".pth", ".joblib"), "a pickle, never loaded here"),
    **dict.fromkeys((".nii", ".mha", ".nrrd"), "a volume"),
    **dict.fromkeys((".img", ".raw"), "pixels without a header"),  # as JSRT's
    **dict.fromkeys((".lmdb", ".mdb"), "a database"),
}
"""Files that hold films in a way that is not read, by their extension."""

_MOST = 1000


def check_store(path: Path) -> None:
    """Raise UnreadableData where the file ``path`` is named as a store of films."""
    suffix = path.suffix.lower()
    if suffix in _ARCHIVES:
        raise UnreadableData(
            "archives are not read",
            got=path,
            remedy=f"unpack it, and give the folder that comes out of it: {_unpacking(path)}",
        )
    if suffix in _STORES:
        raise UnreadableData(
            "films are not read out of such a file",
            got=f"{path} ({_STORES[suffix]})",
            expected="a folder of films, a table, parquet, .npz or .npy",
            remedy="write its films as PNG into folders NORMAL and PNEUMONIA, or as arrays: "
            "np.savez('films.npz', x_train=…, y_train=…)",
        )


def check_stores_below(root: Path) -> None:
    """Raise UnreadableData for the first store below ``root``, in which there is no film."""
    for path in sorted(islice(root.rglob("*"), _MOST)):
        if path.is_file() and not path.name.startswith("."):
            check_store(path)


def _unpacking(path: Path) -> str:
    """The command that unpacks an archive into a folder of its name."""
    folder = shlex.quote(str(path)[: -len(path.suffix)].removesuffix(".tar"))
    quoted = shlex.quote(str(path))
    if path.suffix.lower() == ".zip":
        return f"python -m zipfile -e {quoted} {folder}"
    return f"mkdir {folder} && tar xf {quoted} -C {folder}"
