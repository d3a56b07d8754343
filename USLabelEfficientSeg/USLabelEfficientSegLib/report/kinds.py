"""The words in which reports of volumes and of 2-D images differ: the scans, the methods, the measurements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..imaging.dimension import Dimension
from ..segmentation.model_header import Voters

VIEWED_ORGANS = 3  # of a volume: so many have views of their own


@dataclass(frozen=True)
class Kind:
    """The words of a kind of report.

    Attributes:
        dimension: of the scans.
        scans: what was segmented.
        subject: what the report is about.
        of_study, of_files: titles of the report of a trained study and of that of segmentations in files.
        advice: which number to use, where there are several.
        fitted: the curve fitted to the outlines, if there is one.
        methods: how the scans were segmented, by the method of the training.
        measures: how they were measured and drawn.
        citations: numbered in the texts.
    """

    dimension: Dimension
    scans: str
    subject: str
    of_study: str
    of_files: str
    advice: str
    fitted: str | None
    methods: Mapping[str, str]
    measures: Sequence[str]
    citations: Sequence[str]

    def method(self, settings: Mapping[str, str], voters: Voters | None = None) -> str:
        """How the scans were segmented, as far as the settings and the model tell."""
        taught = self.methods.get(settings.get("method", ""), next(iter(self.methods.values())))
        if voters is None or voters.shares is None:
            return taught
        with_slices = f"{taught} {_SLICE_NETWORKS}" if voters.students else f"{_SLICE_NETWORKS} {_NO_STUDENTS}"
        return f"{with_slices} {voters.shares.told()}."


_INFORMATION_DIVERGENCE = (
    "Wang et al. Leveraging Information Divergence for Robust Semi-Supervised Fetal Ultrasound Image Segmentation. "
    "arXiv: 2509.06495"
)
_PARTNER = (
    "The partner is the transformer Swin-Unet, which learns along with it, or UNeXt's own moving average (setting "
    "divergence.partner)."
)
_STUDENT = (
    "The teacher's predictions for the remaining slices, with their uncertainty, become 3-D pseudo-labels, which are "
    "refined as volumes. A 3-D student learns from the labelled slices and the pseudo-labels and segments whole "
    "volumes [1]. Beyond that paper, depending on the settings, this distilled student learns on in rounds from its "
    "own predictions; a supervised student learns from the labelled slices alone; the students and the position of the "
    "organs in the labelled slices vote (geometric mean of their probabilities); and the result is scaled to agree "
    "with the labelled slices."
)
_SLICE_NETWORKS = (
    "A 2-D network for each axis with labelled slices sees slices at the labels' own resolution. It learns from the "
    "labelled ones, and on all others to say the same of a slice that is moved and disturbed as of the slice itself. "
    "How much these networks count was measured on labelled slices that had no part in a training."
)
_NO_STUDENTS = "The 3-D networks that a 2-D teacher guides [1, 2] were not needed."
VOLUMES = Kind(
    dimension=3,
    scans="volumes",
    subject="3-D ultrasound segmentation and organ volumes",
    of_study="Segmentation study",
    of_files="Organ volumes",
    advice="Volume is the number to use.",
    fitted=None,
    methods={
        "cross-dimensional": "Cross-dimensional knowledge distillation: a 2-D teacher learns from all slices without "
        "labels, then to outline organs from the few labelled slices. (A related method has two 2-D networks that "
        f"teach each other by their information divergence [2].) {_STUDENT}",
        "information-divergence": "Information divergence: a 2-D teacher, UNeXt, learns to outline organs from the few "
        "labelled slices, and on all others from the predictions of a partner and by the divergence of the "
        f"information in both [2]. {_PARTNER} {_STUDENT}",
    },
    measures=(
        "The volume of an organ is the sum of its probabilities over all voxels, which also counts the likely part of "
        "the organ in uncertain voxels at its boundary. For a segmentation without probabilities it is the outline "
        "volume, the volume of the outlined voxels. The ellipsoid formula is π/6 times length, width and height along "
        "the organ's principal axes; the largest diameter is that of its surface.",
        "Pictures are three perpendicular views through the middle of an organ, in true proportions. Letters at the "
        "edges say where right (R), left (L), anterior (A), posterior (P), superior (S) and inferior (I) lie according "
        "to the image file; views along oblique axes have none. The uncertainty map shows the entropy of the "
        "probabilities as a share of its largest possible value.",
    ),
    citations=(
        "Zhang, Qin, Zhu, Ban, Anthony. Learning 3-D Ultrasound Segmentation under Extreme Label Deficiency. "
        "Ultrasound in Medicine & Biology, 2026. doi: 10.1016/j.ultrasmedbio.2025.12.014",
        _INFORMATION_DIVERGENCE,
    ),
)
IMAGES = Kind(
    dimension=2,
    scans="images",
    subject="2-D ultrasound segmentation, areas and circumferences",
    of_study="Segmentation study of 2-D images",
    of_files="Areas and circumferences",
    advice="",
    fitted="fitted ellipse",
    methods={
        "information-divergence": "The network UNeXt learns from the labelled images by their labels and from all "
        "others by the predictions of a partner and by the divergence of the information in both [1]. "
        f"{_PARTNER} After the first round (setting divergence.rounds) the networks at the end of the previous round "
        "teach on images without labels. The moving average of UNeXt segments the images; its probabilities are "
        "averaged over magnifications and zoomed refinements of the parts that show the organs, and over the mirror "
        "image if it has learnt from mirror images.",
    },
    measures=(
        "The area of an organ is the sum of its probabilities over all pixels or, without probabilities, the area of "
        "the outlined pixels. The ellipse has the area, the centre, the direction and the ratio of axes "
        "(second moments) of the largest piece of the organ with its holes filled; the circumference is that of the "
        "ellipse. The perimeter is the length of the outline itself. The uncertainty map shows the entropy of the "
        "probabilities as a share of its largest possible value.",
    ),
    citations=(_INFORMATION_DIVERGENCE,),
)
KINDS: Mapping[Dimension, Kind] = {kind.dimension: kind for kind in (VOLUMES, IMAGES)}
