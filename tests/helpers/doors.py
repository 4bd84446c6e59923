"""A door with something in every part of it."""

from __future__ import annotations

from pneumoscope.data.door import Chain, Copies, Door, DoorSplit, KnownPatients, LeftOut
from pneumoscope.data.together.groups import Divided
from pneumoscope.records import Word

DOOR = Door(
    name="mine",
    form="table",
    why="films in the column 'image', labels in 'finding'",
    found=4411,
    used=4285,
    left_out=(
        LeftOut("no image", 16, {"normal": 6, "pneumonia": 10}, lost=True),
        LeftOut("lateral views", 100, {"pneumonia": 100}),
        LeftOut("films of a class that was said to be ignored", 10),
    ),
    normal=410,
    pneumonia=3875,
    words=(
        Word("PNEUMONIA", "pneumonia", 3875),
        Word("No Finding", "normal", 200),
        *(Word(f"Finding {i}", "normal", 30, said=True) for i in range(7)),
        Word("COVID", "ignore", 10, said=True),
    ),
    readers="Several readers: a film has the label that more than half of them gave.",
    patients=KnownPatients(2790, 4000, "the column 'patient'"),
    copies=Copies(8, 3, 5),
    chains=(Chain(41, ((3, 17), (17, 40))),),
    splits=(
        DoorSplit("train", False, 300, 3000),
        DoorSplit("val", False, 50, 400),
        DoorSplit("test", True, 60, 475),
    ),
    divided=(Divided("test", "train", 12, 9, 4, 0), Divided("test", "val", 1, 0, 0, 1)),
)
