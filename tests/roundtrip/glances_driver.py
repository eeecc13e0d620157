"""Runs in the environment of Glances: asks for parts of its API by a client that others wrote.

    python glances_driver.py PORT PART...

Prints one JSON object: for each part whether the client was content, and under `plugins` and `sensors` the names that
it understood.
"""

import asyncio
import json
import sys

import glances_api
import httpx


def client(port):
    # Its own waits 5 s and closes after one call; a busy machine may take longer.
    patient = httpx.AsyncClient(timeout=60)
    return glances_api.Glances(host="localhost", port=int(port), version=4, httpx_client=patient)


async def main(port, parts):
    found, plugins = {}, []
    for part in parts:
        asked = client(port)
        try:
            await asked.get_data(part)
            found[part] = True
        except glances_api.exceptions.GlancesApiNoDataAvailable:
            found[part] = False
        plugins += asked.plugins
    sensors = await client(port).get_ha_sensor_data()
    print(json.dumps({"parts": found, "plugins": sorted(plugins), "sensors": sorted(sensors)}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
