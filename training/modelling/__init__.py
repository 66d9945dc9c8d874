"""Nets, trees, pre-training, adaptation, calibration, distillation, and the export to a bundle."""
