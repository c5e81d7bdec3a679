"""Running the detector over all images of a capture."""

from collections.abc import Callable, Mapping

from handrefine.capture.detections import Detections, FoundHand, gathered
from handrefine.capture.mediapipe_detector import MediaPipeHands
from handrefine.capture.sources import FrameSource, all_frames


def detect_hands(sources: Mapping[str, FrameSource], say: Callable[[str], None]) -> Detections:
    """The hands in all images, at the frames of `all_frames(sources)`.

    Raises:
        InputError: MediaPipe is not installed.
    """
    frames = all_frames(list(sources.values()))
    position = {frame: k for k, frame in enumerate(frames)}
    found: dict[str, list[list[FoundHand]]] = {}
    for name, source in sources.items():
        detector = MediaPipeHands()
        try:
            hands: list[list[FoundHand]] = [[] for _ in frames]
            for number, image in source.images(frames):
                hands[position[number]] = detector.find(image)
        finally:
            detector.close()
        found[name] = hands
        say(f"{name}: {sum(map(bool, hands))} of {len(source.numbers)} images show a hand")
    return gathered(found, frames)
