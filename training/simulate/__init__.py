"""A generator of e-commerce payment streams whose truth is known: customers, shops, fraudsters, issuers, labels."""

from training.simulate.columns import EVENT_SCHEMA, TRUTH_SCHEMA
from training.simulate.config import PRESETS, VERSION, InvalidSimulation, LabelConfig, SimulationConfig, preset
from training.simulate.labels import LABEL_SCHEMA
from training.simulate.simulation import Simulation, Summary, simulate
from training.simulate.wire import events_to_json, labels_to_json

__all__ = [
    "EVENT_SCHEMA",
    "LABEL_SCHEMA",
    "PRESETS",
    "TRUTH_SCHEMA",
    "VERSION",
    "InvalidSimulation",
    "LabelConfig",
    "Simulation",
    "SimulationConfig",
    "Summary",
    "events_to_json",
    "labels_to_json",
    "preset",
    "simulate",
]
