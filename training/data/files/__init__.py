"""Event and label files: schema, Parquet and JSON lines read as the service reads events, breaches of the contract."""
