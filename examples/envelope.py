"""Envelopes of ArqonBus, with the standard library of Python alone: each function returns the text of a frame."""
import json
import sys
import uuid
from datetime import datetime, timezone


def envelope(sender, kind, room, channel, payload, metadata):
    return json.dumps({
        "version": "1.0",
        "id": f"arq_{uuid.uuid4().hex}",
        "type": kind,
        "room": room,
        "channel": channel,
        "from": sender,
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "payload": payload,
        "metadata": metadata,
    })


def message(sender, room, channel, payload, **metadata):
    return envelope(sender, "event", room, channel, payload, metadata)


def private(sender, recipient, payload, **metadata):
    return envelope(sender, "private", "arqonbus", "pm", payload, {**metadata, "to": recipient})


def command(sender, name, **parameters):
    payload = {"name": name, "parameters": parameters}
    return envelope(sender, "command", "arqonbus", "control", payload, {})


if __name__ == "__main__":
    me = sys.argv[1]
    print(command(me, "join_channel", channel="science:explore"))
    print(message(me, "science", "explore", {"text": "Hello"}, ack=True))
    print(private(me, me, {"text": "A note to myself"}, ack=True))
