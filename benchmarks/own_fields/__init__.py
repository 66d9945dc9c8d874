"""Models of a platform's own fields against plain LightGBM on the payments' raw columns."""
