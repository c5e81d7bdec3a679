"""From the configuration to how a renderer traces, in iterations and in renders that are looked at."""

from dataclasses import replace

from handrefine.config import RenderConfig
from handrefine.render.base import RenderSettings

#: Samples a pixel of renders that people look at and that are measured.
FINAL_SPP = 32
#: Their random numbers: never those of an iteration.
FINAL_SEED = 2**31 - 1


def render_settings(config: RenderConfig) -> RenderSettings:
    """For the iterations of an optimisation."""
    return RenderSettings(
        shading=config.shading,
        spp=config.spp,
        depth=config.depth,
        edge_samples_per_px=config.edge_samples_per_px,
        memory_gib=config.memory_gib,
        redner=config.redner,
    )


def final_settings(config: RenderConfig) -> RenderSettings:
    """For renders that are looked at and measured."""
    return replace(render_settings(config), spp=max(FINAL_SPP, config.spp))
