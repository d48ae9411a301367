"""The command line: `interlock` for those who run it, `kubectl interlock` for those who decide."""
