"""The images of a synthetic video: hands, light and cameras of a truth, brought before a renderer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float

from handrefine.colour import linear_to_srgb8, srgb8_to_linear
from handrefine.config import Config
from handrefine.hand.model import HandModel
from handrefine.render.base import HandSurface
from handrefine.render.registry import create_renderer
from handrefine.sequence import FrameIndex, HandAnnotation, HandSequence, ViewKey
from handrefine.spherical import latlong_directions, sh_basis
from handrefine.synthetic.held_thing import HeldThing, held_thing
from handrefine.synthetic.mismatch import as_taken, bright_lamp, camera_fault, fine_surface
from handrefine.synthetic.truth import SyntheticSettings, SyntheticTruth
from handrefine.things import Thing
from handrefine.views import View, ViewSet

#: Samples a pixel of the renders that play the part of camera images.
IMAGE_SPP = 64
#: A pixel of a mask is a hand's from this coverage on.
COVERED = 0.5


@dataclass(frozen=True, eq=False)
class SyntheticImages:
    """Every view of a video: its image in linear RGB and its mask, True where a pixel shows skin of any hand.

    objects: True where it shows a held thing; empty without one. things: those that are held.
    """

    images: Mapping[ViewKey, Float[np.ndarray, "_ _ 3"]]
    masks: Mapping[ViewKey, Bool[np.ndarray, "_ _"]]
    objects: Mapping[ViewKey, Bool[np.ndarray, "_ _"]] = field(default_factory=dict)
    things: tuple[Thing, ...] = ()


def render_images(
    hands: Sequence[HandModel],
    truths: Sequence[SyntheticTruth],
    settings: SyntheticSettings,
    config: Config,
    device: torch.device,
) -> SyntheticImages:
    """Render every image of a true video of one or several hands. Mitsuba must have been started.

    matched: by our own renderer in the truth's light, over black. mismatched: see `handrefine.synthetic.mismatch`.
    """
    things = []
    if settings.held != "none":
        rng = np.random.default_rng(np.random.SeedSequence([settings.seed, 2]))
        things = [held_thing(settings.held, truths[0].joints_world, rng)]
    if settings.kind == "mismatched":
        taken = _mismatched(hands, truths, things, settings, config.light.map_height)
    else:
        taken = _matched(hands, truths, things, config, device)
    return replace(taken, things=tuple(thing.posed for thing in things))


def sequence_in_memory(
    truth: SyntheticTruth, seen: SyntheticImages, annotation: HandAnnotation, *, masks: bool
) -> HandSequence:
    """The video as a reader would give it, in 8 bits but without files; with its masks, or without."""
    images = {key: linear_to_srgb8(image) for key, image in seen.images.items()}

    def as_is(mask: np.ndarray) -> np.ndarray:
        return mask

    return HandSequence(
        name="synthetic",
        cameras=truth.cameras,
        frames=truth.frames,
        images={key: partial(srgb8_to_linear, image) for key, image in images.items()},
        annotations={truth.side: annotation},
        masks={key: partial(as_is, mask) for key, mask in seen.masks.items()} if masks else {},
        objects={key: partial(as_is, mask) for key, mask in seen.objects.items()} if masks else {},
        things=seen.things if masks else (),
    )


def _matched(
    hands: Sequence[HandModel],
    truths: Sequence[SyntheticTruth],
    things: Sequence[HeldThing],
    config: Config,
    device: torch.device,
) -> SyntheticImages:
    truth = truths[0]  # cameras, frames and light are common
    keys = _keys(truth)
    views = ViewSet(tuple(View(k, truth.cameras[name].at(truth.frames[k])) for k, name in keys))
    settings = replace(config.render, spp=IMAGE_SPP, shading="radiance")
    renderer = create_renderer([of.topology for of in (*hands, *things)], views, settings)
    surfaces = [
        HandSurface(
            torch.as_tensor(of.verts_world).float().to(device),
            torch.as_tensor(of.texture).float().to(device)[None],
        )
        for of in (*truths, *things)
    ]
    with torch.no_grad():
        light = _environment(truth, config.light.map_height).to(device)
        render = renderer.render(surfaces, light, seed=config.seed)
    images = [image.cpu().numpy() for image in views.split(render.rgb)]
    covered = [of.cpu().numpy() for of in views.split(render.coverage)]
    return SyntheticImages(
        dict(zip(keys, images, strict=True)), *_masks(dict(zip(keys, covered, strict=True)), len(hands))
    )


def _mismatched(
    hands: Sequence[HandModel],
    truths: Sequence[SyntheticTruth],
    things: Sequence[HeldThing],
    settings: SyntheticSettings,
    map_height: int,
) -> SyntheticImages:
    from handrefine.render.mitsuba.photo import PhotoSettings, PhotoStudio

    mismatch, truth = settings.mismatch, truths[0]
    surface_rng, lamp_rng, camera_rng, noise_rng = (
        np.random.default_rng(s) for s in np.random.SeedSequence([settings.seed, 1]).spawn(4)
    )
    surfaces = [
        fine_surface(of.verts_world, hand.topology, mismatch.relief_mm, surface_rng)
        for hand, of in zip(hands, truths, strict=True)
    ] + [(thing.topology, thing.verts_world) for thing in things]
    lamp = bright_lamp(truth.light, truth.verts_world.mean(axis=(0, 1)), mismatch.lamp, lamp_rng)
    skin = PhotoSettings(roughness=mismatch.roughness, specular=mismatch.specular, spp=IMAGE_SPP)
    studio = PhotoStudio(
        [topology for topology, _ in surfaces],
        [of.texture for of in (*truths, *things)],
        _environment(truth, map_height),
        lamp,
        skin,
    )
    faults = {name: camera_fault(c.width, c.height, mismatch, camera_rng) for name, c in truth.cameras.items()}
    images: dict[ViewKey, np.ndarray] = {}
    covered: dict[ViewKey, np.ndarray] = {}
    for index, (k, name) in enumerate(_keys(truth)):
        if index % len(truth.cameras) == 0:
            studio.move(*(torch.as_tensor(verts_world[k]).float() for _, verts_world in surfaces))
        rgb, covered[k, name] = studio.photograph(truth.cameras[name].at(truth.frames[k]), seed=index)
        images[k, name] = as_taken(rgb, covered[k, name].sum(axis=-1), faults[name], mismatch, noise_rng)
    return SyntheticImages(images, *_masks(covered, len(hands)))


def _masks(
    covered: Mapping[ViewKey, Float[np.ndarray, "_ _ surface"]], n_hands: int
) -> tuple[dict[ViewKey, np.ndarray], dict[ViewKey, np.ndarray]]:
    """Of every view the pixels that show hands, and those that show a held thing where there is one."""
    masks = {key: of[..., :n_hands].sum(axis=-1) >= COVERED for key, of in covered.items()}
    things = {key: of[..., n_hands:].sum(axis=-1) >= COVERED for key, of in covered.items()}
    return masks, things if any(of.shape[-1] > n_hands for of in covered.values()) else {}


def _keys(truth: SyntheticTruth) -> list[ViewKey]:
    """Frame by frame."""
    return [(FrameIndex(k), name) for k in range(len(truth.frames)) for name in truth.cameras]


def _environment(truth: SyntheticTruth, height: int) -> torch.Tensor:
    order = int(np.sqrt(len(truth.light))) - 1
    radiance = sh_basis(latlong_directions(height, 2 * height), order) @ torch.as_tensor(truth.light).float()
    return radiance.clamp(min=0)
