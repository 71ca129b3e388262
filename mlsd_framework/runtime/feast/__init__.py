"""Plug-ins for Feast: an online store of packed rows, an offline store on polars. Only Feast imports them."""
