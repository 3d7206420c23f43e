"""Issues a token for a client of the bus, with PyJWT: ARQONBUS_TOKEN_SECRET=… python3 examples/issue_token.py ada"""
import os
import sys
import time

import jwt

user = sys.argv[1] if len(sys.argv) > 1 else "ada"
now = int(time.time())
permissions = {"science:*": ["join", "publish", "history", "create"]}
claims = {
    "sub": user,
    "aud": "bus.example.org",
    "iat": now,
    "exp": now + 3600,
    "arqonbus": {"screen_name": user, "permissions": permissions},
}
print(jwt.encode(claims, os.environ["ARQONBUS_TOKEN_SECRET"], algorithm="HS256"))
