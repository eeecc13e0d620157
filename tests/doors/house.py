"""The tools of the house in which the plays of the doors are set: one for each way in which a call can end."""

TOOLS = """
  get: {says: Read one., call: "GET /things/{id}", args: {id: {type: integer, minimum: 1}}}
  head: {says: Ask for one., call: "HEAD /things/{id}", args: {id: {type: integer}}}
  word: {says: Read by name., call: "GET /words/{name}", args: {name: {type: string}}}
  file:
    says: Read a file.
    call: GET /files/{path}
    args: {path: {type: string}}
    in: {path: {path: {encoded_slash: true}}}
  car:
    says: Read a car.
    call: GET /cars/{plate}
    args: {plate: {type: string}}
    in: {plate: {path: {style: matrix}}}
  find:
    says: Search.
    call: GET /things
    args:
      q: {type: string, optional: true}
      limit: {type: integer, maximum: 100, optional: true}
      exact: {type: boolean, optional: true}
      tag: {type: array, items: {type: string}, optional: true}
      X-Tenant: {type: string, optional: true}
      session: {type: string, optional: true}
    in: {X-Tenant: header, session: cookie}
  put:
    says: Write one.
    call: POST /things
    args: {name: {type: string, maxLength: 50}, more: {type: object, optional: true}}
    effect: write
  any: {says: Write anything., call: POST /any, args: {body: {}}, effect: write}
  drop: {says: Take one away., call: "DELETE /things/{id}", args: {id: {type: integer}}, effect: write}
  pay: {says: Pay., call: POST /payments, args: {cents: {type: integer}}, effect: irreversible}
  wipe: {says: Delete all., call: POST /wipe, effect: admin}
  secret: {says: Nobody may., call: GET /secret}
  small: {says: Read little., call: GET /small, reply: {most_bytes: 1000}}
  raw: {says: Read unseen., call: GET /raw, reply: {redact: off, most_bytes: 100KiB}}
  lax: {says: Read at least., call: GET /lax, reply: {on_error: pass}}
  slow: {says: Wait., call: GET /slow, timeout: 300ms}
  slow_put: {says: Wait and write., call: POST /slow, timeout: 300ms, effect: write}
"""
POLICY = """
rules:
  - id: the-open-rule-of-the-house
    allow: [crm.get, crm.head, crm.word, crm.file, crm.car, crm.find, crm.put, crm.any, crm.drop, crm.small, crm.raw,
            crm.lax, crm.slow, crm.slow_put]
  - id: small-payments-only
    allow: [crm.pay, crm.wipe]
    when: tool.name != "crm.pay" || args.cents <= 100
"""
CONFIG = """
bounds: {most_body: 64KiB, most_depth: 16, body: 1s, idle: 5s, upstream_idle: 1s, connect: 1s}
"""
