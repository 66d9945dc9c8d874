"""What learning without labels adds to the default: each part alone and together, by days since launch."""
