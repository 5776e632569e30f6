"""Redeemable tokens: the part that is always on."""
