from handrefine.config import RenderConfig
from handrefine.render.base import RenderSettings


def render_settings(config: RenderConfig) -> RenderSettings:
    return RenderSettings(
        shading=config.shading,
        spp=config.spp,
        depth=config.depth,
        edge_samples_per_px=config.edge_samples_per_px,
        memory_gib=config.memory_gib,
        redner=config.redner,
    )
