"""Model in words: what it is for, how to use it, whose mean it answers with, which epoch it is."""

from __future__ import annotations

from pneumoscope.manifest import ModelManifest

HOW_TO_USE = """\
from pneumoscope import Classifier
classifier = Classifier.load(".")  # this folder
print(classifier.read("film.png")[0].probability)"""
AUROC_WORDS = (
    "AUROC is the chance that a pneumonia film scores above a normal one; 0.5 is a guess. Behind a "
    "figure stands its 95% interval."
)
INTENDED = (
    "Research and teaching on frontal chest radiographs: comparing training choices, studying "
    "errors, preparing a study. The model gives a probability of pneumonia for a whole film."
)
OUT_OF_SCOPE = (
    "Diagnosis, triage or any decision about a patient; lateral films, other findings, other ages "
    "or machines than those of its data; films it was trained on."
)


def views(model: ModelManifest) -> str:
    """Whose mean logit the answer of a model is, in words."""
    seen = ["the film"]
    if degrees := model.get("turn_average"):
        seen.append(f"the film turned by {degrees:g}° to both sides")
    if model.get("flip_average"):
        seen.append("their mirror images" if len(seen) > 1 else "its mirror image")
    if len(seen) == 1:
        return "of the film alone"
    return f"mean over {', '.join(seen[:-1])} and {seen[-1]}"


def which_epoch(model: ModelManifest) -> str:
    """How the epoch was chosen that a model keeps, in a sentence."""
    if model.get("lineage", {}).get("monitor") == "the last epoch":
        return "The last epoch was kept, whatever it showed."
    return "Validation films helped to choose the epoch, so these figures are no results."
