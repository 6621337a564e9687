"""camera.py - a camera that goes bad step by step, by real image transforms.

  rotation   somebody leans a ladder against the pole: up to 45 degrees;
  blur       the lens gets greasy: Gaussian, up to a ninth of the picture's side;
  darkness   the lamp is dying: down to a fifteenth of the light, while the sensor's noise stays what it was;
  capped     the lens cap is on: nothing but noise. No training can cure this one;
  steady     nothing happens.

Every shot trembles a little and has the noise of the sensor, on good days too. How bad the camera is depends on the
number of the shot alone, so that a run can be repeated.
"""
import numpy as np
from scipy import ndimage

STEPS = {"rotation": ("turned by {:g} degrees", (12.0, 24.0, 36.0, 45.0)),
         "blur": ("blurred over {:g} of the picture's side", (0.03, 0.06, 0.09, 0.11)),
         "darkness": ("{:g} of the light is left", (0.5, 0.25, 0.12, 0.067)),
         "capped": ("the lens cap is on", (0.0,)),
         "steady": ("", ())}
KINDS = tuple(STEPS)
TREMBLE_DEGREES = 2.0
SENSOR_NOISE = 3.0  # standard deviation, of 255


class Camera:
    def __init__(self, kind: str, good_shots: int, shots_per_step: int, seed: int):
        self.kind = kind
        self.good_shots = good_shots
        self.shots_per_step = shots_per_step
        self.words, self.levels = STEPS[kind]
        self.random = np.random.default_rng(seed)

    def step(self, shot: int) -> int:
        """0: good; then 1 to the number of levels."""
        if shot < self.good_shots:
            return 0
        return min(1 + (shot - self.good_shots) // self.shots_per_step, len(self.levels))

    def describe(self, shot: int) -> str:
        step = self.step(shot)
        return self.words.format(self.levels[step - 1]) + f" (step {step} of {len(self.levels)})" if step else "good"

    def take(self, pixels: np.ndarray, shot: int) -> np.ndarray:
        """One shot of a batch of scenes: uint8 in, uint8 out."""
        step = self.step(shot)
        level = self.levels[step - 1] if step else None
        seen = pixels.astype(np.float32)
        angle = self.random.normal(0, TREMBLE_DEGREES)
        if self.kind == "rotation" and step:
            angle += level
        seen = ndimage.rotate(seen, angle, axes=(2, 1), reshape=False, order=1)
        if self.kind == "blur" and step:
            sigma = level * pixels.shape[1]
            seen = ndimage.gaussian_filter(seen, (0, sigma, sigma))
        if self.kind in ("darkness", "capped") and step:
            seen *= level
        seen += self.random.normal(0, SENSOR_NOISE, seen.shape)
        return np.clip(np.round(seen), 0, 255).astype(np.uint8)
