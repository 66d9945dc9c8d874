"""From score to action: policy, review budget, exploration."""
