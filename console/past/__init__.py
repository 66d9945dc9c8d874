"""Drafts of controls judged on past payments, as the log still has them."""
