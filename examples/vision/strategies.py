"""strategies.py - three ways to retrain, each what its name says.

  grid_search   every combination of a grid is trained; the best on validation wins.
  bayesian      a Gaussian process models validation accuracy over the settings; the next trial is where the expected
                improvement is largest (Mockus 1975; Jones, Schonlau and Welch 1998, eq. 15).
  pbt           population-based training (Jaderberg et al. 2017): networks train side by side; every round the worst
                quarter takes over weights and settings of the best quarter (exploit) and perturbs them (explore).

All three train on recent images with a share of old ones, and compare by recent images that are held back: every
original whose id is divisible by VALIDATION_EVERY stays out of training, in whatever shot it comes.
"""
import copy
import itertools
import math
import warnings
from dataclasses import dataclass, replace
from typing import Callable

import numpy as np
from scipy.stats import norm, qmc
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from images import Images
from model import Classifier, Features, Network, Settings

VALIDATION_EVERY = 5
OLD_SHARE = 0.2  # of what is trained on: a camera that is repaired must not find a model that has forgotten
EPOCHS = 12  # of one training: of each trial, and of the model that is served in the end

# The space of settings: (lowest, highest), searched on a logarithmic scale.
SPACE = {"learning_rate": (3e-4, 3e-2), "l2": (1e-5, 1e-1), "hidden": (32, 128)}
GRIDS = {"small": {"learning_rate": (1e-3, 3e-3, 1e-2), "l2": (1e-4, 1e-2), "hidden": (32, 96)},
         "large": {"learning_rate": (3e-4, 1e-3, 3e-3, 1e-2), "l2": (1e-4, 1e-3, 1e-2, 1e-1),
                   "hidden": (32, 64, 96, 128)}}
INITIAL_TRIALS = 5  # of the Bayesian optimiser, before there is anything to model
CANDIDATES = 512
MARGIN = 0.005      # an improvement below half a percent does not count (xi)
ROUNDS = 6          # of population-based training, of
ROUND_EPOCHS = 2    # epochs each
QUARTER = 4
PERTURB = (0.8, 1.25)

# Told after each step; may raise to abandon the training.
Progress = Callable[[float, str], None]


class Problem:
    """Images to learn from and images to compare by, as features (fitted here, or those that are given)."""

    def __init__(self, recent: Images, old: Images, seed: int, features: Features | None = None):
        self.seed = seed
        held_back = recent.ids % VALIDATION_EVERY == 0
        learn, self.validation = recent.take(~held_back), recent.take(held_back)
        if len(np.unique(learn.labels)) < 2 or not len(self.validation.labels):
            raise ValueError("too few recent images to train on")
        count = min(len(old.labels), int(len(learn.labels) * OLD_SHARE / (1 - OLD_SHARE)))
        kept = old.take(np.random.default_rng(seed).permutation(len(old.labels))[:count])
        self.features = features or Features(learn.pixels)
        self.train_x = self.features(np.concatenate([learn.pixels, kept.pixels]))
        self.train_y = np.concatenate([learn.labels, kept.labels])
        self.validation_x = self.features(self.validation.pixels)

    def train(self, network: Network, epochs: int) -> float:
        """Trains on, and returns the accuracy on the images held back."""
        network.train(self.train_x, self.train_y, epochs)
        return network.accuracy(self.validation_x, self.validation.labels)


@dataclass
class Result:
    settings: Settings
    accuracy: float  # on images held back
    trials: int
    network: Network | None = None    # pbt: its settings changed on the way, so they alone would not make it again
    features: Features | None = None  # what that network sees through

    def finish(self, recent: Images, old: Images, seed: int) -> Classifier:
        """The model to serve: trained on what was seen while the search went on."""
        problem = Problem(recent, old, seed, self.features)
        network = self.network or Network(self.settings, seed)
        problem.train(network, ROUND_EPOCHS if self.network else EPOCHS)
        return Classifier(problem.features, network)


def grid_search(problem: Problem, parameters: dict, progress: Progress) -> Result:
    grid = parameters.get("grid", "small")
    axes = GRIDS[grid] if isinstance(grid, str) else grid
    trials = [Settings(*values) for values in itertools.product(axes["learning_rate"], axes["l2"], axes["hidden"])]
    best: Result | None = None
    for index, settings in enumerate(trials):
        accuracy = problem.train(Network(settings, problem.seed), EPOCHS)
        if best is None or accuracy > best.accuracy:
            best = Result(settings, accuracy, len(trials))
        progress((index + 1) / len(trials), f"grid {index + 1} of {len(trials)}: {accuracy:.3f} with {settings}; "
                                            f"best {best.accuracy:.3f}")
    return best


def bayesian(problem: Problem, parameters: dict, progress: Progress) -> Result:
    trials = max(int(parameters.get("trials", 20)), INITIAL_TRIALS)
    points = qmc.Sobol(len(SPACE), seed=problem.seed)
    first = points.random(8)[:INITIAL_TRIALS]  # Sobol points come in powers of two
    tried, accuracies = [], []
    for index in range(trials):
        if index < INITIAL_TRIALS:
            point, why = first[index], "space-filling"
        else:
            point, gain = _largest_expected_improvement(np.array(tried), np.array(accuracies), points, problem.seed)
            why = f"expected improvement {gain:.4f}"
        settings = settings_at(point)
        accuracy = problem.train(Network(settings, problem.seed), EPOCHS)
        tried.append(point)
        accuracies.append(accuracy)
        progress((index + 1) / trials, f"trial {index + 1} of {trials}: {accuracy:.3f} with {settings} ({why}); "
                                       f"best {max(accuracies):.3f}")
    winner = int(np.argmax(accuracies))
    return Result(settings_at(tried[winner]), accuracies[winner], trials)


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float, margin: float = MARGIN) -> np.ndarray:
    """E[max(f - best - margin, 0)] for f normal with this mean and standard deviation, in the units of f."""
    deviation = np.maximum(deviation, 1e-12)
    gain = mean - best - margin
    return gain * norm.cdf(gain / deviation) + deviation * norm.pdf(gain / deviation)


def _largest_expected_improvement(tried: np.ndarray, accuracies: np.ndarray, points: qmc.Sobol,
                                  seed: int) -> tuple[np.ndarray, float]:
    kernel = ConstantKernel(1.0, (0.1, 10.0)) * Matern(np.full(len(SPACE), 0.5), (0.05, 5.0), nu=2.5) + \
        WhiteKernel(1e-2, (1e-4, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
    with warnings.catch_warnings():
        # A length scale at the edge of its range says that a setting does not matter: no reason to stop.
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(tried, accuracies)
    candidates = points.random(CANDIDATES)
    mean, deviation = process.predict(candidates, return_std=True)
    gains = expected_improvement(mean, deviation, process.predict(tried).max())
    return candidates[gains.argmax()], float(gains.max())


def pbt(problem: Problem, parameters: dict, progress: Progress) -> Result:
    size = max(int(parameters.get("population", 8)), QUARTER)
    random = np.random.default_rng(problem.seed)
    start = qmc.LatinHypercube(len(SPACE), seed=problem.seed).random(size)
    population = [Network(settings_at(point), problem.seed + member) for member, point in enumerate(start)]
    accuracies = [0.0] * size
    for turn in range(ROUNDS):
        for member, network in enumerate(population):
            accuracies[member] = problem.train(network, ROUND_EPOCHS)
            progress((turn * size + member + 1) / (ROUNDS * size),
                     f"round {turn + 1} of {ROUNDS}, network {member + 1} of {size}: {accuracies[member]:.3f} with "
                     f"{network.settings}; best {max(accuracies):.3f}")
        if turn + 1 < ROUNDS:
            exploit_and_explore(population, accuracies, random)
    winner = int(np.argmax(accuracies))
    return Result(population[winner].settings, accuracies[winner], size, population[winner], problem.features)


def exploit_and_explore(population: list[Network], accuracies: list[float], random: np.random.Generator) -> None:
    """Truncation selection: each of the worst quarter becomes a perturbed copy of one of the best quarter."""
    ranked = np.argsort(accuracies)
    quarter = max(1, len(population) // QUARTER)
    for worst in ranked[:quarter]:
        heir = copy.deepcopy(population[random.choice(ranked[-quarter:])])
        low, high = zip(SPACE["learning_rate"], SPACE["l2"])
        rate, l2 = np.clip([heir.settings.learning_rate, heir.settings.l2] * random.choice(PERTURB, 2), low, high)
        # The number of units is part of the weights that were copied.
        heir.settings = replace(heir.settings, learning_rate=float(rate), l2=float(l2))
        population[worst] = heir


def settings_at(point: np.ndarray) -> Settings:
    """The settings at a point of the unit cube."""
    rate, l2, hidden = (math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
                        for share, (low, high) in zip(point, SPACE.values()))
    return Settings(rate, l2, round(hidden))


STRATEGIES: dict[str, Callable[[Problem, dict, Progress], Result]] = {
    "grid_search": grid_search, "bayesian": bayesian, "pbt": pbt}
