"""Templates of the HTML reports."""
