"""`interlock catalogue`: runbooks as one signed whole, made, looked at, installed and upgraded."""
