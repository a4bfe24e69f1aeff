"""Chargers speak to us: the OCPP-J peer, the websocket server and the message handlers."""
