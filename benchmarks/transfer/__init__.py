"""Transfer strategies against boosted trees: pairs of platforms, label budgets, days since launch, seeds."""
