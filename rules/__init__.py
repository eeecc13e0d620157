"""May this happen, and on what terms? Facts in, Decision out. Pure: no clock, no socket, no `await`."""
