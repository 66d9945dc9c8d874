"""A generator of e-commerce payment streams whose truth is known: customers, shops, fraudsters, issuers, labels."""
