"""How a report of volumes tells of the method: what was trained, what was measured, where it is published."""

from .common_sections import INFORMATION_DIVERGENCE

CITATIONS = (
    "Zhang, Qin, Zhu, Ban, Anthony. Learning 3-D Ultrasound Segmentation under Extreme Label Deficiency. Ultrasound in "
    "Medicine & Biology, 2026. doi: 10.1016/j.ultrasmedbio.2025.12.014",
    INFORMATION_DIVERGENCE,
)
TEACHERS = {
    "cross-dimensional": "Cross-dimensional knowledge distillation: a 2-D teacher learns from all slices without "
    "labels, then to outline organs from the few labelled slices. (A related method has two 2-D networks that teach "
    "each other by their information divergence [2].) ",
    "information-divergence": "Information divergence: a 2-D teacher, UNeXt, learns to outline organs from the few "
    "labelled slices, and on all others from the predictions of a partner and by the divergence of the information in "
    "both [2]. The partner is the transformer Swin-Unet, which learns along with it, or UNeXt's own moving average "
    "(setting divergence.partner). ",
}
STUDENT = (
    "The teacher's predictions for the remaining slices, with their uncertainty, become 3-D pseudo-labels, which are "
    "refined as volumes. A 3-D student learns from the labelled slices and the pseudo-labels and segments whole "
    "volumes [1]. Beyond that paper, and as far as the settings say so, it learns on in rounds from its own "
    "predictions, a second student learns from the labelled slices alone, the students and the position of the organs "
    "in the labelled slices vote (geometric mean of their probabilities), and the result is scaled to agree with the "
    "labelled slices."
)
NO_INTERVALS = (
    "No prediction intervals are given: the model was not calibrated, or the segmentations are not, or no longer, its "
    "own."
)
VOLUMES = (
    "The volume of an organ is the sum of its probabilities over all voxels where the segmentation came with them: "
    "that also counts the share of the organ that uncertain voxels at its boundary are likely to hold. Where it "
    "came without them, it is the outline volume, that of the outlined voxels. The ellipsoid formula is π/6 times "
    "length, width and height along the organ's principal axes; the largest diameter is that of its surface."
)
VIEWS = (
    "Pictures are three perpendicular views through the middle of an organ, in true proportions. Letters at the edges "
    "say where right (R), left (L), anterior (A), posterior (P), superior (S) and inferior (I) lie according to the "
    "image file; views along oblique axes have none. The uncertainty map shows the entropy of the probabilities as a "
    "share of its largest possible value."
)
