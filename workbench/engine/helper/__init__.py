"""The helper process: prepares models, inspects data and answers in conversation, for whoever holds its other end.

Requests come as JSON lines on standard input, each with an id; replies and events go out as JSON lines on standard
output, each with the id of its request. `workbench.core.helper` is the other end. Several requests may be open at
once, and any of them can be cancelled. The process ends when its standard input does.

-> {"id": 1, "do": "inspect", "args": {...}}        <- {"id": 1, "event": "progress", ...} any number of times, then
-> {"do": "cancel", "id": 1}                        <- {"id": 1, "result": {...}}, or
                                                    <- {"id": 1, "error": sentence, "details": text, "user": true}
"""
