"""The model directory: versions, which one serves, and the moves between them."""
