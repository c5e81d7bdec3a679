"""The README's example in Python runs as it stands, on a small video and with a short schedule."""

import re
from pathlib import Path

import pytest
from short_schedules import schedule

import handrefine as hr
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m_video_writer import write_interhand26m_sequence
from handrefine.hand.model import load_hand_model
from handrefine.render.mitsuba.runtime import start_mitsuba
from handrefine.synthetic.truth import SyntheticSettings, make_truths

README = Path(__file__).parents[1] / "README.md"


def example() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    return code
