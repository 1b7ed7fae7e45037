"""Who said what to whom: the only code that moves or books bits."""
