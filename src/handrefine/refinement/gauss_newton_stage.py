"""One stage of second-order steps: render, refit the appearance, gather what pictures know, and step."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from handrefine.losses.base import CameraWeighting, Iterate
from handrefine.losses.colour_ridge import EXPOSURE_RATIO
from handrefine.optimizers.closed_form_light import fit_exposures, fit_light_and_colours
from handrefine.optimizers.closed_form_texture import HOLD_PX, Levels, fit_textures
from handrefine.optimizers.gauss_newton import Evidence, GaussNewton
from handrefine.optimizers.information import vertex_information
from handrefine.optimizers.picture_motion import Linearised, linearised, picture_gradient
from handrefine.optimizers.prior_curvature import priors
from handrefine.optimizers.seen_skin import SeenSkin, albedo_at, patches_of, seen_skin
from handrefine.optimizers.stage_optimizer import StageOptimizer, drop_broken_gradients
from handrefine.optimizers.surface_points import PointFinder, SurfacePoints
from handrefine.refinement.hooks import Batch, Iteration, Stage
from handrefine.render.base import Renderer, TellsFirstHits
from handrefine.scene.variables import GEOMETRY_NAMES
from handrefine.scene.video_model import Prediction
from handrefine.state import State

#: What a stage with `closed_form` solves for.
CLOSED_FORM = ("texture", "environment", "colour", "exposure")
#: Reflectances and shadings below which a ratio is not trusted.
LEAST = 1e-3
#: Texels of hands that stand still are held by so many pixels, since each picture adds to what is there.
STILL_HOLD_PX = 1.0


class GaussNewtonStage:
    """Iterates of one stage whose geometry moves by `handrefine.optimizers.gauss_newton`.

    Each renders one batch of views once. Closed forms then solve for the appearance at this geometry, and the
    picture is corrected by what they have changed, so that residuals are those of the best appearance (there is no
    lag). What is not geometry and has no closed form descends by Adam where the renderer's gradient is asked for,
    and stands still elsewhere.

    Args:
        rates: Adam's, by variable.
    """

    def __init__(self, stage: Stage, rates: Mapping[str, float]) -> None:
        problem, config = stage.problem, stage.config
        self._stage, self._problem, self._model = stage, problem, problem.model
        device = problem.runtime.device
        self._finders = [PointFinder(problem.model.hands, b.observations.views, device) for b in stage.batches]
        self._hits = [hit_query(batch.renderer) for batch in stage.batches]
        self._closed = [name for name in config.variables if name in CLOSED_FORM and config.closed_form]
        moving = [name for name in config.variables if name in GEOMETRY_NAMES]
        others = [name for name in config.variables if name not in (*GEOMETRY_NAMES, *self._closed)]
        self._others = StageOptimizer(problem.model, others, rates, problem.config.optimizer)
        self._geometry = (
            GaussNewton(problem.model, moving, problem.config.optimizer.gauss_newton) if moving else None
        )

    def iterate(
        self, index: int, number: int, seen: tuple[CameraWeighting, Sequence], *, seed: int, factor: float
    ) -> Iteration:
        """One iteration; see `handrefine.refinement.stages.run_stages`."""
        stage, model = self._stage, self._model
        turn = index % len(stage.batches)
        batch, finder = stage.batches[turn], self._finders[turn]
        by_renderer = stage.config.gradient == "renderer"
        for parameter in [] if self._geometry is None else self._geometry.parameters:
            parameter.requires_grad_()
        self._clear()
        geometries = model.geometries()
        with torch.set_grad_enabled(by_renderer):
            levels = stage.config.texture_levels
            rendering = model.render(batch.renderer, geometries, texture_levels=levels, seed=seed)
            prediction = model.seen(geometries, rendering, batch.observations)
        frames = self._problem.sequence.frames
        prediction = stage.safety.contained(prediction, batch.observations, frames)
        points = self._points(turn, geometries)
        if self._closed:
            gain = None if self._geometry else factor
            with stage.safety.solvable("the appearance in closed form"):
                prediction = self._refit(self._iterate_of(prediction, batch, seen), batch, finder, points, gain)
        iterate = self._iterate_of(prediction, batch, seen)
        if self._geometry is None:
            terms = stage.safety.finite(batch.objective(iterate))
            self._descend(terms, factor)
        else:
            evidence, terms = self._evidence(self._geometry, iterate, turn, points, number)
            finite = stage.safety.finite(terms)
            if len(finite) == len(terms):
                if drop_broken_gradients(self._geometry.parameters):
                    stage.safety.note(["the gradient of the geometry"])
                with stage.safety.solvable("the step of the geometry"):
                    self._geometry.step(evidence, factor)
            if by_renderer:
                self._step_others(factor)
            terms = finite
        return Iteration(stage, number, index, batch, iterate, {k: v.detach() for k, v in terms.items()})

    def state(self) -> State:
        """That of its optimizers."""
        return {
            "others": self._others.state(),
            "geometry": None if self._geometry is None else self._geometry.state(),
        }

    def load_state(self, state: State) -> None:
        """Go on from there."""
        self._others.load_state(state["others"])
        if self._geometry is not None:
            self._geometry.load_state(state["geometry"])

    def _clear(self) -> None:
        self._others.zero_grad()
        for parameter in [] if self._geometry is None else self._geometry.parameters:
            parameter.grad = None

    def _iterate_of(self, prediction: Prediction, batch: Batch, seen: tuple[CameraWeighting, Sequence]) -> Iterate:
        comparison = self._problem.compare(prediction, batch.observations)
        return Iterate(self._model, prediction, comparison, *seen)

    def _points(self, turn: int, geometries: Sequence) -> SurfacePoints:
        finder, model = self._finders[turn], self._model
        observations = self._stage.batches[turn].observations
        with torch.no_grad():
            hits = self._hits[turn].first_hits(model.surfaces(geometries))
            source = None if model.rotations is None else model.rotations.sources(observations)
            blur_px = self._stage.config.blur_px
            beside = 1 if blur_px == 0 else int(2 * blur_px) + 1
            return finder.find(hits, geometries, beside_px=beside if self._geometry else 0, source=source)

    def _evidence(
        self, geometry: GaussNewton, iterate: Iterate, turn: int, points: SurfacePoints, number: int
    ) -> tuple[Evidence, dict[str, Tensor]]:
        """What the iterate knows of the geometry, and every term's value; leaves gradients where asked for."""
        batch, finder = self._stage.batches[turn], self._finders[turn]
        protect = self._problem.config.losses.protect_texture
        with torch.no_grad():
            gradient = picture_gradient(iterate.prediction, batch.observations, finder.stack)
        blocks = list(linearised(batch.objective, iterate, batch.observations, gradient, protect=protect))
        terms = _values(blocks)
        of_priors = priors(blocks, geometry.parameters, seed=number)
        n_vertices = int(finder.first_vertex[-1])
        with torch.no_grad():
            information = vertex_information(blocks, points, iterate.prediction.coverage, n_vertices)
        by_renderer = self._stage.config.gradient == "renderer"
        if by_renderer:
            torch.stack(list(batch.objective(iterate).values())).sum().backward()
        value = float(torch.stack(list(terms.values())).sum())
        return Evidence(value, turn, information, of_priors, by_renderer), terms

    def _descend(self, terms: dict[str, Tensor], factor: float) -> None:
        """Adam alone, where no geometry moves and something has no closed form."""
        total = torch.stack(list(terms.values())).sum() if terms else torch.zeros(())
        if total.requires_grad:
            total.backward()
            self._step_others(factor)

    def _step_others(self, factor: float) -> None:
        self._stage.safety.note(f"the gradient of {name}" for name in self._others.step(factor))

    def _refit(
        self, iterate: Iterate, batch: Batch, finder: PointFinder, points: SurfacePoints, gain: float | None
    ) -> Prediction:
        """Solve for the appearance, and the prediction as it then looks."""
        model, losses = self._model, self._problem.config.losses
        levels = self._stage.config.texture_levels
        with torch.no_grad():
            skin = seen_skin(iterate, batch.observations, points, finder, protect=losses.protect_texture)
            if not len(skin.weight):
                return iterate.prediction
            before = model.colour.matrices().clone()
            albedo = albedo_at(model, skin.points, levels).clamp(min=LEAST)
            shown, pixels = skin.shown, losses.colour_ridge.pixels * losses.counts("colour_ridge")
            if "exposure" in self._closed and len(skin.camera.unique()) > 1:
                fit_exposures(model.colour, skin, shown, ridge=1 + 3 * pixels / EXPOSURE_RATIO**2)
            shown = shown * self._light_and_colours(skin, 1 + 3 * pixels, gain)
            wanted = skin.wanted(model.colour.matrices())
            if "texture" in self._closed:
                onto = None if gain is None else (albedo, gain)
                detail = Levels(levels, HOLD_PX if gain is None else STILL_HOLD_PX)
                fit_textures(model, skin, shown / albedo, wanted, detail, onto=onto)
                shown = shown * albedo_at(model, skin.points, levels) / albedo
            factor = torch.ones_like(iterate.prediction.hand_rgb)
            factor[skin.points.pixel] = (shown / skin.shown.clamp(min=LEAST)).clamp(0.2, 5.0)
        return _corrected(iterate.prediction, factor, before, model.colour.matrices(), batch)

    def _light_and_colours(self, skin: SeenSkin, ridge: float, gain: float | None) -> Tensor:
        """Fit what of them is solved for; by how much the shading changes.

        Where hands stand still, both at once, and the texture follows. While they move they are fitted in turn:
        what tells light from texture is then misplaced.
        """
        light = self._model.light if "environment" in self._closed else None
        if self._problem.config.render.shading != "radiance":
            light = None
        colour, coloured = self._model.colour, "colour" in self._closed and len(skin.camera.unique()) > 1
        if gain is not None and "texture" in self._closed:
            patches, bound = patches_of(self._model, skin.points), ridge if coloured else None
            return fit_light_and_colours(colour, skin, patches, light=light, ridge=bound, share=gain)
        change = fit_light_and_colours(colour, skin, None, light=light, ridge=None)
        if coloured:
            fit_light_and_colours(colour, replace(skin, shown=skin.shown * change), None, light=None, ridge=ridge)
        return change


def _corrected(
    prediction: Prediction,
    factor: Float[Tensor, "pixel 3"],
    before: Float[Tensor, "camera 3 4"],
    now: Float[Tensor, "camera 3 4"],
    batch: Batch,
) -> Prediction:
    """The prediction with its colours times a factor and in other colour transforms; differentiable in it."""
    camera, covered = batch.observations.camera_of_pixel, prediction.coverage[:, None]
    inverse = torch.linalg.inv(before[..., :3])
    plain = torch.einsum("pij,pj->pi", inverse[camera], prediction.hand_rgb - before[camera, :, 3] * covered)
    coloured = torch.einsum("pij,pj->pi", now[camera, :, :3], plain * factor) + now[camera, :, 3] * covered
    return Prediction(prediction.geometries, coloured, prediction.coverage, prediction.by_hand)


def _values(blocks: Sequence[Linearised]) -> dict[str, Tensor]:
    """Every term's weighted value."""
    terms: dict[str, Tensor] = {}
    for of in blocks:
        value = of.scale * of.block.value().detach()
        terms[of.term] = terms[of.term] + value if of.term in terms else value
    return terms


def hit_query(renderer: Renderer) -> TellsFirstHits:
    """The renderer, or for one that cannot be asked what its pixels show the fast one beside it."""
    if isinstance(renderer, TellsFirstHits):
        return renderer
    from handrefine.render.base import RenderConfig
    from handrefine.render.mitsuba.batched import BatchedRenderer

    return BatchedRenderer(renderer.topologies, renderer.views, RenderConfig(spp=1))
