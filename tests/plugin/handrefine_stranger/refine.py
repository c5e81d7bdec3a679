"""A dataset, a renderer, a variable and a term of one's own in one refinement."""

from dataclasses import replace
from pathlib import Path

import handrefine as hr
from handrefine.refinement.problem import Extensions
from handrefine_stranger.displacement import Displacement, DisplacementRidge


def refine_with_displacement(data: Path, config: hr.Config):
    """The result, and the displacement that was found, in metres along the normals."""
    sequence = hr.read_dataset(data)  # the reader is found by the folder's files
    config = replace(config, render=replace(config.render, backend="dots"))
    stages = {
        name: replace(stage, variables=(*stage.variables, "displacement")) for name, stage in config.stages.items()
    }
    displacement = Displacement(hr.load_hand_model("right").topology)
    extensions = Extensions(terms={"displacement_ridge": DisplacementRidge(displacement)}, modules=[displacement])
    result = hr.refine(sequence, "right", replace(config, stages=stages), extensions=extensions)
    return result, displacement.along_normal_m.detach().cpu()
