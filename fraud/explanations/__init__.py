"""Why a payment was flagged, in sentences an analyst can read."""
