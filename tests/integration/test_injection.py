"""Every text input of the OpenAPI document, and what the document does not name (other headers,
files, messages of WebSockets, mails), is given what has taken servers over: SQL, header, path,
formula, log and template injection, broken Unicode, patterns and numbers at limits. Nothing of it
may have an effect, which is measured around it: the process, its files, its tables, its log, its
answers.

SONNIM_TEST_INJECTIONS=all: every payload at every place, else some of each kind in turn."""
import collections
import csv
import io
import json
import os
import re
from email import message_from_string

import injection
from audit_trail import lines as audit_lines
from injection import CANARY, MARK, PRODUCT, Raw, WebSocket, quoted
from injection_case import PASSWORD, InjectionCase, schema_of
from transfer import exported_events, fetch_export, rejected_rows, start_export, wait_job

EVERYTHING = os.environ.get("SONNIM_TEST_INJECTIONS") == "all"
# Work of a hash that is slow on purpose.
SLOW = {"register", "login", "createPerson", "setPassword", "resetPassword", "beginTotp",
        "loginTotp", "requestPasswordReset"}
# They end who asks.
LEFT_OUT = {"logout", "endMySessions"}
# Valid ones need what only another way brings (a mail, a refresh token).
NEVER_TAKEN = {"refresh", "resetPassword", "setClock", "loginTotp", "confirmTotp", "disableTotp",
               "exchangeSso"}
# Wrong attempts are counted by session.
COUNTED = {"setPassword", "beginTotp", "confirmTotp", "disableTotp"}
# What is answered is something else of the same name.
SAYS_ELSE = {("login", ("device_token",)), ("putSsoProvider", ("scopes", "*"))}
# Nothing bears such a name.
FILTERS = {("listJobs", "kind"), ("listAuditRecords", "actor"), ("listAuditRecords", "action"),
           ("listAuditRecords", "target"), ("listDeadLetters", "code")}
# Where it is one's own account.
OWN = re.compile("/api/v1/(auth/|users/(me|settings|subscription)$)")
# Of the mails that are sent.
MAIL_HEADERS = {"Date", "From", "To", "Message-ID", "Subject", "MIME-Version", "Content-Type",
                "Content-Transfer-Encoding", "Auto-Submitted"}


def is_formula(cell):
    """What a spreadsheet would calculate, but for numbers, which may be of telephones."""
    return cell[:1] in tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20") and cell != "" and \
        not re.fullmatch(r"[+-][0-9 .()*-]*", cell)


class Injections(InjectionCase):
    def setUp(self):
        self.problems = collections.OrderedDict()
        self.connections = {}
        self.turn = self.sent = self.accepted = 0
        self.password = PASSWORD

    def tearDown(self):
        for raw in self.connections.values():
            raw.close()

    # ---- Asking ----

    def problem(self, what, *where):
        """Told with the first of each kind, all at the end."""
        self.problems.setdefault((what, str(where[0])[:60]), repr(where)[:600])

    def connection(self, operation):
        """Each operation from an address of its own, slow ones from many: limits by address are
        another test's."""
        number = self.operations.index(operation) if operation in self.operations else 250
        last = 1 + self.sent // 4 % 250 if operation is not None and operation.id in SLOW else 1
        source = f"127.1.{number}.{last}"
        if source not in self.connections:
            self.connections[source] = Raw(self.server.address, source)
        return self.connections[source]

    def headers_of(self, operation, body):
        headers = []
        if operation.success == "101":
            headers += [("Connection", "Upgrade"), ("Upgrade", "websocket"),
                        ("Sec-WebSocket-Version", "13"),
                        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
                        ("Sec-WebSocket-Protocol", f"sonnim.bearer.{self.server.token}")]
        elif operation.write_key:
            headers.append(("Authorization", "Basic " + injection.basic(self.key)))
        elif not operation.public:
            token = self.grant["access_token"] if OWN.match(operation.path) else self.server.token
            headers.append(("Authorization", f"Bearer {token}"))
        if body is not None:
            headers.append(("Content-Type", "application/json"))
        return headers

    def target_of(self, operation, values, query=""):
        target = operation.path
        for parameter in operation.parameters:
            name = parameter["name"]
            if parameter["in"] == "path":
                target = target.replace("{%s}" % name, values.get(
                    name, quoted(self.value_of(operation, name))))
        return target + query

    def ask(self, operation, kind, place, text, values=None, query="", headers=(), body=None):
        """Asks, and looks at what no answer may have."""
        if body is None and operation.schema is not None and operation.media == "application/json":
            body = self.bodies(operation)[0]
        if operation.media == "multipart/form-data":
            data = b"user,event\nkim,e\n"
        else:
            data = None if body is None else injection.as_json(body)
        named = {name.lower() for name, _ in headers}
        all_headers = [pair for pair in self.headers_of(operation, body)
                       if pair[0].lower() not in named] + list(headers)
        raw = self.connection(operation)
        where = (operation.id, kind, place, text)
        self.sent += 1
        try:
            answer = raw.ask(operation.method, self.target_of(operation, values or {}, query),
                             all_headers, data)
        except (injection.Broken, TimeoutError, ValueError) as error:
            raw.close()
            self.problem("no HTTP", *where, error)
            return None
        if operation.success == "101":
            raw.close()
        self.look(answer, where)
        return answer

    def look(self, answer, where):
        if answer is None:
            self.problem("no answer", *where)
            return
        self.accepted += answer.status < 300
        if answer.status >= 500:
            self.problem(f"status {answer.status}", *where, answer.body[:300])
        if answer.status == 429 and where[0] not in COUNTED:
            self.problem("limited", *where, answer.body[:300])
        if answer.header("x-injected") or "injected" in (answer.header("set-cookie") or ""):
            self.problem("a header of ours", *where, answer.headers)
        for secret in (CANARY.encode(), b"root:x:0:0", PRODUCT.encode()):
            if secret in answer.body:
                self.problem(f"the answer has {secret!r}", *where, answer.body[:300])
        if (answer.header("content-type") or "").startswith("application/json"):
            try:
                answer.body.decode()
                answer.json
            except ValueError as error:
                self.problem("an answer that is no JSON", *where, error, answer.body[:300])
        elif answer.status >= 400 and answer.body:
            self.problem("an error that is no JSON", *where, answer.headers)

    # ---- What is measured around it ----

    def finish(self, what):
        """Nothing had an effect, and the server says so itself."""
        pid, tables = self.before
        self.assertIsNone(self.server.process.poll(), self.server.log_tail())
        self.assertEqual(self.server.process.pid, pid)
        self.assertEqual(self.client.request("GET", "/health/ready").status, 200)
        self.assertEqual(schema_of(self.server.data), (tables, [("ok",)]))
        self.assertEqual(self.canaries.opened(), 0, "a file outside was opened")
        self.check_files()
        self.check_log()
        for line in audit_lines(self.server.data):
            json.loads(line)
        print(f"     {what}, {self.accepted} of {self.sent} requests accepted")
        if self.problems:
            self.fail(f"{len(self.problems)} effects:\n" + "\n".join(
                f"{what} {where}: {example}" for (what, where), example
                in list(self.problems.items())[:40]))

    def check_files(self):
        self.assertEqual(os.listdir(self.working), ["canary"])
        beside = {"data", "keyring", "token", "address", "server.log", "canary", "working",
                  "backups", "backup-key"}
        self.assertEqual(set(os.listdir(self.server.directory)) - beside, set())
        for place in ("/", "/tmp"):
            self.assertEqual([name for name in os.listdir(place) if MARK in name], [])
        for folder, folders, files in os.walk(self.server.directory):
            for name in folders + files:
                self.assertRegex(name, r"\A[A-Za-z0-9._@=+-]+\Z", folder)

    def check_log(self):
        text = self.server.log_file.read_bytes()
        for line in text[:text.rfind(b"\n") + 1].split(b"\n")[:-1]:
            if line.startswith(b'Write key of the source "default": '):
                continue  # said once, at the first start, and not by the log
            try:
                record = json.loads(line.decode())
            except ValueError:
                record = None
            if not isinstance(record, dict) or re.search(rb"[\0-\x1f\x7f]", line) or \
                    "forged" in (record["message"], *record):
                self.problem("a line of the log", line[:500])
        self.assertNotIn(PRODUCT.encode(), text)

    # ---- The document ----

    def texts(self, operation, everything=EVERYTHING):
        self.turn += 1
        found = injection.chosen(self.turn, everything)
        if operation.id not in SLOW or everything:
            return found
        return list(dict(found).items())  # one of each kind

    def body_for(self, operation, place, text):
        """A valid body with the payload in one place."""
        def reaches(body):
            open_place = place[-1:] in (("{}",), ("{key}",))
            found = injection.found_at(body, place[:-1] if open_place else place)
            return isinstance(found, dict) if open_place else found is not None
        bodies = self.bodies(operation)
        base = next(filter(reaches, bodies), bodies[0])
        self.complete(operation, base)
        return self.schemas.placed(base, operation.schema, place, text)

    def complete(self, operation, body):
        """With what is good once."""
        if operation.id == "register":
            body["invitation"] = self.client.expect(201, "POST", "/api/v1/invitations", {
                "email": f"{self.fresh()}@example.com", "roles": ["viewer"]}).json["invitation"]

    def compare(self, operation, place, text, answer):
        """Where the place is in what is answered, the payload stands there as it was sent."""
        if answer is None or answer.status >= 300 or not answer.body or "{key}" in place:
            return
        found = injection.found_at(answer.json, place)
        # What is no Unicode has no other text.
        text = re.sub("[\ud800-\udfff]", "\ufffd", text)
        if isinstance(found, str) and found != text and (operation.id, place) not in SAYS_ELSE:
            self.problem("it came back as something else", operation.id, place, text, found)

    def undo(self, operation, answer, text):
        """What was made is looked at, and removed again."""
        if operation.id == "setPassword" and answer.status == 204:
            self.ask(operation, "", "undo", "", body={"current_password": text,
                                                      "password": PASSWORD})
        if answer.status != 201 or operation.write_key:
            return None
        made = answer.json
        for name in ("id", "name"):
            twin = self.twin("GET", f"{operation.path}/{{{name}}}")
            remover = self.twin("DELETE", f"{operation.path}/{{{name}}}")
            if name in made and remover is not None:
                values = {name: quoted(made[name])}
                found = twin and self.ask(twin, "", "back", text, values)
                self.ask(remover, "", "removed", text, values)
                return found
        if operation.id == "register":
            self.client.expect(204, "DELETE", f"/api/v1/people/{made['user']['id']}")
        return None

    def operation(self, name):
        return next(operation for operation in self.operations if operation.id == name)

    def twin(self, method, path):
        return next((other for other in self.operations
                     if (other.method, other.path) == (method, path)), None)

    def try_body(self, operation, reached):
        places = list(self.schemas.places(operation.schema))
        for body in self.bodies(operation):
            places += injection.leaves(body)
            self.complete(operation, body)
            answer = self.ask(operation, "", "as it is", "", body=body)
            if answer is not None and answer.status >= 300 and operation.id not in NEVER_TAKEN:
                self.problem("a valid body was refused: mend it in bodies()", operation.id, body,
                             answer)
            elif answer is not None:
                self.undo(operation, answer, PASSWORD)
        for place in dict.fromkeys(places):
            for kind, text in self.texts(operation):
                body = self.body_for(operation, place, text)
                answer = self.ask(operation, kind, place, text, body=body)
                if answer is None:
                    continue
                reached.add((operation.id, "body", place))
                self.compare(operation, place, text, answer)
                self.compare(operation, place, text, self.undo(operation, answer, text))

    def try_parameter(self, operation, parameter, reached):
        name, kind_of = parameter["name"], parameter["in"]
        texts = self.texts(operation)
        if kind_of == "path":
            tries = [(kind, text, {"values": {name: quoted(text)}}) for kind, text in texts]
            tries += [("raw path", raw, {"values": {name: raw}}) for raw in injection.RAW_PATHS]
        elif kind_of == "query":
            tries = [(kind, text, {"query": f"?{quoted(name)}={quoted(text)}"})
                     for kind, text in texts if text or operation.method == "GET"]
            tries.append(("raw query", "%", {"query": f"?{name}=%zz&{name}=%00&{name}"}))
        else:
            tries = [(kind, text, {"headers": [(name, text)]}) for kind, text in texts]
        for kind, text, how in tries:
            answer = self.ask(operation, kind, (kind_of, name), text, **how)
            if answer is None:
                continue
            reached.add((operation.id, kind_of, (name,)))
            if kind == "sql" and (operation.id, name) in FILTERS and answer.status == 200 and \
                    answer.json["items"]:
                self.problem("a filter lets through", operation.id, name, text, answer.body[:300])

    def test_no_text_input_of_the_document_has_an_effect(self):
        reached, wanted = set(), set()
        for operation in self.operations:
            if operation.id in LEFT_OUT:
                continue
            if OWN.match(operation.path) and not operation.public:
                type(self).grant = self.log_in()  # those before may have ended
            for parameter in operation.parameters:
                wanted.add((operation.id, parameter["in"], (parameter["name"],)))
                self.try_parameter(operation, parameter, reached)
            if operation.media == "application/json":
                wanted |= {(operation.id, "body", place)
                           for place in self.schemas.places(operation.schema)}
                self.try_body(operation, reached)
        self.assertEqual(wanted - reached, set(), "inputs that were not reached")
        letters = self.client.items(f"/api/v1/sources/{self.made['source']}/dead-letters")
        self.assertIn(self.made["letter"], [letter["id"] for letter in letters])
        self.finish(f"{len(reached)} inputs")

    # ---- Headers that it does not name ----

    def test_no_header_has_an_effect(self):
        names = ("Authorization", "Host", "Origin", "Referer", "User-Agent", "Accept",
                 "Accept-Language", "Accept-Encoding", "Content-Type", "Content-Encoding",
                 "Content-Disposition", "Cookie", "X-Forwarded-For", "X-Forwarded-Proto",
                 "X-Forwarded-Host", "Forwarded", "X-Request-Id", "X-Trace-Id", "traceparent",
                 "X-HTTP-Method-Override", "X-Original-URL", "Range", "If-None-Match", "Expect",
                 "Upgrade", "Idempotency-Key", "X-Sonnim-Min-Position")
        wanted = ("createSource", "track", "login", "getMartTable", "sdkSettings", "watchJobs",
                  "listSegments", "metrics")
        for operation in self.operations:
            if operation.id in wanted:
                for name in names if operation.id not in SLOW else ("User-Agent", "Cookie"):
                    for kind, text in self.texts(operation):
                        answer = self.ask(operation, kind, ("header", name), text,
                                          headers=[(name, text)])
                        if answer is not None:
                            self.undo(operation, answer, text)
        self.finish(f"{len(names)} headers")

    def test_no_target_leads_out(self):
        targets = ["/" + "../" * 8 + "etc/passwd", "/..%2f..%2f..%2fcanary", "//etc/passwd",
                   "/api/v1/../../../canary", "/api/v1/jobs/../../../../canary", "/%2e%2e/canary",
                   "http://127.0.0.1/../canary", "*", "/\\..\\..\\canary", "/health/live%00.json",
                   "/health/live?a=%00&b=\udcff", "/%c0%ae%c0%ae/canary", "/.%00./canary",
                   "/api/v1/segments/%2e%2e%2f%2e%2e%2fcanary"]
        targets += ["/" + quoted(text) for _, text in injection.TEXTS]
        raw = Raw(self.server.address, "127.1.251.1")
        for target in targets:
            for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"):
                self.sent += 1
                try:
                    answer = raw.ask(method, target.encode("utf-8", "surrogateescape"), [
                        ("Authorization", f"Bearer {self.server.token}")])
                except (injection.Broken, TimeoutError, ValueError) as error:
                    raw.close()
                    self.problem("no HTTP", target, method, error)
                    continue
                if answer is not None and method != "HEAD":
                    self.look(answer, ("target", method, target))
        raw.close()
        self.finish(f"{len(targets)} targets")

    # ---- What is stored ----

    def test_what_is_stored_comes_back_as_it_was(self):
        texts = [text for _, text in injection.TEXTS if text.strip() and "\ud800" not in text]
        wanted = {}
        for i, text in enumerate(texts):
            user = text + "!"  # nobody whom another test has erased
            properties = {text: text, "list": [text, {"deep": text}], "region": text}
            position = self.client.expect(200, "POST", "/v1/batch", {"batch": [
                {"type": "track", "userId": user, "event": text, "messageId": f"stored-{i}",
                 "properties": properties},
                {"type": "identify", "userId": user, "traits": {
                    "name": text, "nickname": text, "email": text, text: text}}]},
                key=self.key).position
            wanted[f"stored-{i}"] = (user, text, properties)
        events = {event.get("messageId"): (event.get("userId"), event.get("event"),
                                           event.get("properties"))
                  for event in exported_events(self.client, masked=False)}
        for message, event in wanted.items():
            if events.get(message) != event:
                self.problem("an event came back as something else", message, event,
                             events.get(message))
        for text in texts:
            answer = self.client.request("GET", f"/api/v1/users/{quoted(text + '!')}/profile",
                                         headers={"X-Sonnim-Min-Position": position})
            said = answer.json
            if re.search("[\0-\x1f\x7f]", text):
                self.assertEqual(answer.status, 400, text)  # in no path
            elif (said.get("id"), said.get("attributes", {}).get("nickname")) != (text + "!", text):
                self.problem("a profile came back as something else", text, answer)
        self.sent = self.accepted = 2 * len(texts)
        self.finish(f"{len(texts)} texts as ids, names, keys and values")

    def tables(self):
        """Everything that is written as CSV, by name."""
        audience = self.client.expect(201, "POST", "/api/v1/audiences", {
            "name": "all", "kind": "snapshot", "expression": "trait(nickname) exists"}).json["id"]
        wish = {"audience_id": audience, "columns": ["user_id", "name", "nickname", "=1+1"],
                "mask": False}
        job = self.client.expect(202, "POST", "/api/v1/audience/export", wish).json["export_id"]
        self.assertEqual(wait_job(self.client, job)["state"], "done")
        address = self.client.get(f"/api/v1/audience/exports/{job}")["file_url"]
        path = address[address.index("/api/"):]
        yield "audience", self.client.expect(200, "GET", path).body
        job = start_export(self.client, what=["events", "profiles"], format="csv", masked=False)
        self.assertEqual(wait_job(self.client, job)["state"], "done")
        for name, text in fetch_export(self.client, job)[1].items():
            yield name, text
        for name in ("dim_users", "dim_products", "dim_properties", "fact_user_behavior",
                     "fact_bookings", "user_behavior_mart"):
            yield name, self.client.expect(200, "GET", f"/api/v1/mart/{name}?format=csv").body
        yield "audit", self.client.expect(200, "GET", "/api/v1/audit/export?format=csv").body

    def test_no_cell_of_any_csv_is_a_formula(self):
        batch = []
        for i, text in enumerate(injection.FORMULAS):
            batch += [
                {"type": "identify", "userId": text, "traits": {
                    "name": text, "nickname": text, "membership_tier": text, "email": text}},
                {"type": "track", "userId": text, "event": text, "messageId": text + str(i),
                 "properties": {"region": text, "search_keyword": text, "product_id": text}},
                {"type": "track", "userId": text, "event": "Booking Created",
                 "properties": {"booking_id": text, "status": text, "check_in": text}}]
            self.client.expect(200, "PUT", f"/api/v1/dimensions/products/{quoted('p' + str(i))}",
                               {"name": text, "category": text, "region": text})
            self.client.request("GET", f"/api/v1/audit?target={quoted(text)}")
        self.client.expect(200, "POST", "/v1/batch", {"batch": batch}, key=self.key)
        cells = collections.Counter()
        for name, text in self.tables():
            for row in csv.reader(io.StringIO(text.decode(), newline="")):
                for cell in row:
                    cells[name] += cell.startswith("'")
                    if is_formula(cell):
                        self.problem("a formula", name, row)
        for name in ("audience", "events-0001.csv", "profiles-0001.csv", "dim_users",
                     "dim_products", "fact_user_behavior", "fact_bookings"):
            self.assertGreaterEqual(cells[name], sum(map(is_formula, injection.FORMULAS)), name)
        self.sent = self.accepted = len(batch)
        self.finish(f"{sum(cells.values())} cells were made safe")

    # ---- Files ----

    def upload(self, name, data, mapping=None):
        boundary = "b0undary"
        parts = []
        if mapping is not None:
            parts.append(b'Content-Disposition: form-data; name="mapping"\r\n\r\n'
                         + injection.as_json(mapping))
        parts.append(b'Content-Disposition: form-data; name="file"; filename="'
                     + injection.as_bytes(name) + b'"\r\n\r\n' + data)
        body = b"".join(b"--b0undary\r\n" + part + b"\r\n" for part in parts)
        body += b"--b0undary--\r\n"
        raw = Raw(self.server.address, "127.1.252.1")
        answer = raw.ask("POST", "/api/v1/imports", [
            ("Authorization", f"Bearer {self.server.token}"),
            ("Content-Type", f"multipart/form-data; boundary={boundary}")], body)
        raw.close()
        self.sent += 1
        self.look(answer, ("upload", name[:60]))
        return answer

    def test_files_and_their_names_stay_what_they_are(self):
        rows = io.StringIO()
        writer = csv.writer(rows)
        writer.writerow(["user", "event", "p"])
        texts = [text for _, text in injection.TEXTS if text.strip(" \t\r\n\0")
                 and "\ud800" not in text and text == text.strip()]
        for i, text in enumerate(texts):
            writer.writerow([f"row-{i}", "e", text])
        data = rows.getvalue().encode()
        mapping = {"map": {"userId": "user", "event": "event", "properties.p": "p"}}
        jobs = []
        for _, text in self.texts(self.operations[0]) + [("csv", "rows.csv")]:
            answer = self.upload(text, b"user,event\nkim,e\n" if text != "rows.csv" else data, {
                **mapping, "map": {"userId": "user", "event": "event"}}
                if text != "rows.csv" else mapping)
            if answer is not None and answer.status == 202:
                jobs.append(answer.json["id"])
            for place in (("map", text), ("map", "userId"), ("map", f"properties.{text}"),
                          ("zone",), ("constants", text), ("defaults", text), ("delimiter",)):
                wrong = {"map": {"userId": "user", "event": "event"}}
                if len(place) == 1:
                    wrong[place[0]] = text
                else:
                    wrong.setdefault(place[0], {})[place[1]] = text
                answer = self.upload("rows.csv", b"user,event\nkim,e\n", wrong)
                if answer is not None and answer.status == 202:
                    jobs.append(answer.json["id"])
        for job in jobs:
            found = wait_job(self.client, job)
            if found["state"] == "done" and found["result"]["rejected"]:
                rejected_rows(self.client, job)
        came = {event["properties"].get("p")
                for event in exported_events(self.client, masked=False)}
        for text in texts:
            if text not in came:
                self.problem("a row of a file came as something else", text)
        self.finish(f"{len(jobs)} files")

    # ---- WebSockets ----

    def test_no_message_to_a_socket_has_an_effect(self):
        made = self.made
        protocol = f"sonnim.bearer.{self.server.token}"
        paths = ("/ws/audiences", "/ws/jobs", f"/ws/jobs/{made['job']}", "/ws/users/kim/segments",
                 f"/ws/segments/{made['segment']}/realtime", f"/ws/sources/{made['source']}/debug")
        for number, path in enumerate(paths):
            raw, channel = None, None
            for kind, text in injection.TEXTS if number == 0 or EVERYTHING else \
                    injection.chosen(number, False):
                if raw is None:
                    raw = Raw(self.server.address, "127.1.253.1")
                    channel = WebSocket(raw, path, protocol)
                    self.assertEqual(channel.answer.status, 101, path)
                self.sent += 1
                if not self.talk(channel, path, kind, text):
                    raw.close()
                    raw = None
            if raw is not None:
                raw.close()
        self.finish(f"{len(paths)} sockets")

    def talk(self, channel, path, kind, text):
        """Whether the socket is open still."""
        where = (path, kind, text)
        try:
            for message in ({"audience_id": text}, {"subscribe": [text]}, {"type": text, text: 1},
                            text):
                channel.send(injection.as_json(message)[:4000])
            channel.send(injection.as_bytes(text)[:4000])
            channel.send(b"alive?", 9)
        except (BrokenPipeError, ConnectionError):
            return False
        while True:
            opcode, data = channel.next()
            if opcode == 1:
                if CANARY.encode() in data or PRODUCT.encode() in data:
                    self.problem("a message has what it must not", *where, data[:300])
                try:
                    json.loads(data.decode())
                except ValueError:
                    self.problem("a message that is no JSON", *where, data[:300])
            elif opcode != 9:
                return opcode == 10

    # ---- Mails ----

    def test_no_mail_has_a_header_of_ours(self):
        addresses, mails = [], 0
        for number, (_, text) in enumerate(self.texts(self.operation("createPerson"))):
            for email in (f"{text}@example.com", f"mail{number}@example.com"):
                self.sent += 1
                answer = self.client.request("POST", "/api/v1/people", injection.as_json({
                    "email": email, "name": text or "n", "password": PASSWORD,
                    "roles": ["viewer"]}))
                self.assertLess(answer.status, 500, (email, answer))
                if answer.status == 201:
                    addresses.append(answer.json["email"])
                    raw = Raw(self.server.address, f"127.1.254.{1 + number}")
                    asked = raw.ask("POST", "/api/v1/auth/reset-request", [],
                                    injection.as_json({"email": email}))
                    raw.close()
                    self.assertEqual(asked.status, 202, asked)
                    self.accepted += 1
        while (mail := self.smtp.next())["to"] != addresses[-1:]:
            mails += 1
            found = message_from_string(mail["message"])
            self.assertIn(mail["to"][0], addresses)
            self.assertEqual((len(mail["to"]), mail["from"]), (1, "cdp@example.com"))
            text = found.get_payload(decode=True).decode()
            if set(found.keys()) != MAIL_HEADERS or PRODUCT in mail["message"] + text:
                self.problem("a mail says something else", mail)
        self.finish(f"{mails} mails")
