"""A server with something of each kind in it, and what a valid request of each operation of its
document says, anew each time."""
import ctypes
import os
import sqlite3
import struct
import time
import unittest

import injection
from injection import CANARY, Schemas
from program import Node
from server import Server
from transfer import start_export, start_import, wait_job

PASSWORD = "a long one that only I know"
NOW = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
BEFORE = "2025-01-01T00:00:00Z"
SEEN = 'count("Order Completed") within 1h >= 3'
SEEN_JSON = {"event": "Order Completed", "within": "1h", "op": "gte", "value": 3,
             "where": {"property": "region", "op": "eq", "value": "jeju"}}
# How much one may ask is another test's.
UNLIMITED = tuple(part for name in ("token", "person", "address", "websocket", "websocket-address")
                  for part in (f"--limit-{name}", "0"))


class Canaries:
    """Tells whether a file was opened, by anybody."""
    OPENED = 0x20

    def __init__(self, *paths):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK)
        for path in paths:
            path.write_text(CANARY)
            if self.libc.inotify_add_watch(self.fd, os.fsencode(path), self.OPENED) < 0:
                raise OSError(ctypes.get_errno(), str(path))

    def opened(self):
        try:
            return len(os.read(self.fd, 1 << 16)) // struct.calcsize("iIII")
        except BlockingIOError:
            return 0


def store_of(data):
    """The database, by what it begins with."""
    for path in sorted(data.rglob("*")):
        if path.is_file() and path.open("rb").read(15) == b"SQLite format 3":
            return path
    raise AssertionError("no store")


def schema_of(data):
    with sqlite3.connect(f"file:{store_of(data)}?mode=ro", uri=True, timeout=300) as store:
        tables = store.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
        checked = store.execute("PRAGMA integrity_check").fetchall()
    store.close()
    return tables, checked


class InjectionCase(unittest.TestCase):
    """A server with something of each kind, and what a valid request of each operation says."""

    @classmethod
    def setUpClass(cls):
        cls.smtp = Node("smtp.mjs")
        cls.addClassCleanup(cls.smtp.__exit__)
        cls.server = Server(
            "--partitions", "2", "--smtp-plain", "--mail-from", "cdp@example.com", "--reset-url",
            "https://cdp.example.com/reset#", "--smtp-url",
            f"smtp://127.0.0.1:{cls.smtp.next()['port']}", *UNLIMITED, clock="wall")
        backup_key = cls.server.directory / "backup-key"
        backup_key.write_text(os.urandom(32).hex())
        backup_key.chmod(0o600)
        cls.server.flags += ["--backup-directory", str(cls.server.directory / "backups"),
                             "--backup-key-file", str(backup_key)]
        cls.addClassCleanup(lambda: cls.server.__exit__(Exception, None, None))
        cls.working = cls.server.directory / "working"
        cls.working.mkdir()
        cls.canaries = Canaries(cls.server.directory / "canary", cls.working / "canary")
        cls.server.start(cwd=cls.working)
        cls.client = cls.server.client()
        cls.addClassCleanup(cls.client.close)
        cls.document = cls.client.get("/openapi.json")
        cls.schemas = Schemas(cls.document)
        cls.operations = injection.operations(cls.document)
        cls.fill()
        cls.before = (cls.server.process.pid, schema_of(cls.server.data)[0])

    @classmethod
    def log_in(cls, password=PASSWORD):
        return cls.client.expect(200, "POST", "/api/v1/auth/login",
                                 {"email": "kim@example.com", "password": password}).json

    @classmethod
    def fill(cls):
        client, made = cls.client, {}

        def make(path, body, name="id", status=201):
            return client.expect(status, "POST", path, body).json[name]
        cls.key = cls.server.make_key()
        made["source"] = client.items("/api/v1/sources")[-1]["id"]
        client.expect(200, "PUT", f"/api/v1/sources/{made['source']}/tracking-plan",
                      {"events": [{"name": "Strict", "violations": "rejected", "properties": [
                          {"name": "n", "type": "number", "required": True}]}]})
        for user in ("kim", "park"):
            client.expect(200, "POST", "/v1/identify", {"userId": user, "traits": {
                "email": f"{user}@example.com", "name": "Kim", "tier": "VIP"}}, key=cls.key)
            client.expect(200, "POST", "/v1/track", {
                "userId": user, "event": "Order Completed",
                "properties": {"revenue": 5, "order_id": user, "region": "jeju"}}, key=cls.key)
        client.request("POST", "/v1/batch", {"batch": [
            {"type": "track", "userId": "kim", "event": "Strict", "properties": {}}]}, key=cls.key)
        made["segment"] = make("/api/v1/segments", {"key": "buyers", "name": "b",
                                                    "expression": SEEN})
        made["below"] = make("/api/v1/segments", {"key": "below", "name": "b",
                                                  "expression": SEEN})
        for key in ("buyers", "below"):
            client.wait_live(key)
        made["audience"] = make("/api/v1/audiences", {"name": "a", "expression": SEEN})
        made["destination"] = make("/api/v1/destinations", {
            "name": "lake", "kind": "s3", "region": "r", "bucket": "b", "endpoint":
            "http://127.0.0.1:1", "accessKeyId": "k", "secretAccessKey": "s"})
        made["job"] = start_export(client, what=["events"])
        made["import"] = start_import(client, b"user,event\nkim,e\n,\n",
                                      {"map": {"userId": "user", "event": "event"}})
        made["export"] = client.expect(202, "POST", "/api/v1/audience/export",
                                       {"audience_id": made["audience"]}).json["export_id"]
        for job in (made["job"], made["import"], made["export"]):
            wait_job(client, job)
        client.expect(200, "PUT", "/api/v1/schedules/nightly", {
            "kind": "export", "cron": "0 3 * * *", "params": {"what": ["events"]},
            "active": False})
        client.expect(200, "PUT", "/api/v1/consumers/reader", {})
        client.expect(200, "PUT", "/api/v1/roles/helper", {"permissions": ["user.read"]})
        client.expect(200, "PUT", "/api/v1/sso-providers/company", {
            "issuer": "http://127.0.0.1:1", "client_id": "c", "role_mapping": {"g": ["viewer"]}})
        client.expect(200, "PUT", "/api/v1/dimensions/products/p1", {"name": "n", "region": "jeju"})
        client.expect(201, "POST", "/api/v1/audience/filters", {
            "name": "shoe_size", "label": {"ko": "a", "en": "b"}, "type": "choice", "days": 30,
            "template": "count(\"Product Viewed\" where size in [$value]) within $days >= 1"})
        made["workspace"] = make("/api/v1/workspaces", {"slug": "shop", "name": "Shop"})
        made["person"] = make("/api/v1/people", {"email": "kim@example.com", "name": "Kim",
                                                 "password": PASSWORD, "roles": ["admin"]})
        cls.grant = cls.log_in()
        made["session"] = "00000000-0000-4000-8000-000000000000"
        made["invitation"] = make("/api/v1/invitations", {"email": "lee@example.com",
                                                          "roles": ["viewer"]})
        made["token"] = make("/api/v1/tokens", {"name": "t", "scopes": ["segment.read"]})
        letters = client.items(f"/api/v1/sources/{made['source']}/dead-letters")
        made["letter"] = letters[0]["id"]
        cls.made = made

    # ---- What a valid request says ----

    def value_of(self, operation, name):
        """Of a parameter of the path: something that is there."""
        if name == "letterId":
            return self.made["letter"]
        if name == "writeKey":
            return self.key
        if name == "personId":
            return self.made["person"]
        if name == "table":
            return "dim_users"
        by_path = {
            "/sources/": "source", "/segments/{id}": "segment", "/audiences/": "audience",
            "/destinations/": "destination", "/jobs/{id}": "job", "/imports/": "import",
            "/exports/{id}/files": "job", "/audience/exports/": "export", "/sessions/": "session",
            "/workspaces/": "workspace",
            "/people/": "person", "/invitations/": "invitation", "/tokens/": "token"}
        names = {"/jobs/{id}/files": "manifest.json", "/exports/{id}/files": "manifest.json",
                 "/schedules/": "nightly", "/consumers/": "reader", "/roles/": "helper",
                 "/privacy/requests/{id}/files": "data.json", "/sso-providers/": "company",
                 "/auth/oidc/": "company",
                 "/filters/": "shoe_size", "/dimensions/": "products"}
        if name == "name":
            return next((value for part, value in names.items() if part in operation.path),
                        "unknown")
        if "/dimensions/" in operation.path:
            return "p1"
        if "/users/" in operation.path:
            return "kim"
        return next((self.made[kind] for part, kind in by_path.items() if part in operation.path),
                    "unknown")

    count = 0

    @classmethod
    def fresh(cls):
        InjectionCase.count += 1
        return f"n{InjectionCase.count}"

    def bodies(self, operation):
        """Valid ones, made anew for each request, which between them have what may be there."""
        name = self.schemas_name(operation)
        message = {"userId": "kim", "messageId": self.fresh(), "timestamp": NOW, "context": {
            "page": {"url": "http://x/", "title": "t"}, "ip": "10.0.0.1", "userAgent": "a"}}
        things = {"properties": {"name": "n", "list": ["a"], "deep": {"er": {"still": "x"}}},
                  "traits": {"name": "n", "email": "e@example.com", "tags": ["a"]}}
        rule = {"id": "r", "eventType": "E", "property": "p", "operator": "GTE", "value": 1,
                "windowMinutes": 5, "attribute": "sum",
                "where": {"property": "x", "op": "eq", "value": "y"}}
        made = self.made
        known = {
            "Message": [{**message, **things, "event": "Order Completed", "name": "n",
                         "category": "c", "groupId": "g", "anonymousId": "v",
                         "previousId": self.fresh(), "userId": self.fresh()}],
            "Batch": [{"batch": [{**message, **things, "type": kind, "event": "E", "groupId": "g",
                                  "name": "n", "previousId": self.fresh()}], "sentAt": NOW}
                      for kind in ("track", "identify")],
            "Merge": [{"mergeProperties": [{"type": "userId", "value": self.fresh()},
                                           {"type": "anonymousId", "value": self.fresh()}]}],
            "Event": [self.event()], "Events": [[self.event()], {"events": [self.event()]}],
            "EventTypeWish": [{"name": self.fresh()}],
            "FactTypeWish": [{"name": self.fresh(), "original": self.fresh(), "updated":
                              self.fresh(), "cancelled": self.fresh(), "key": "k"}],
            "SourceWish": [{"name": "s", "allowedOrigins": ["https://x.example"]}],
            "SourceChange": [{"name": "s", "allowedOrigins": ["https://x.example"]}],
            "TrackingPlanWish": [{"events": [{"name": "E", "properties": [
                {"name": "p", "type": "string", "enum": ["a"]}]}],
                "traits": [{"name": "t", "type": "string", "enum": ["a"]}]}],
            "DeadLetterFilter": [{"code": "NONE", "text": "t", "from": BEFORE, "to": NOW}],
            "SegmentWish": [
                {"key": self.fresh(), "name": "s", "expression": SEEN},
                {"name": "s", "expression": SEEN_JSON},
                {"name": "s", "rules": [rule]},
                {"name": "s", "logicalExpression": made["below"],
                 "dependencies": [{"independentSegmentId": made["below"]}]},
                {"name": "s", "expression": f'segment("{made["below"]}")'}],
            "PreviewWish": [{"expression": SEEN}, {"expression": SEEN_JSON}, {"rules": [rule]}],
            "AudienceWish": [
                {"expression": SEEN, "breakdowns": ["tier"], "sample": 2, "as_of": NOW},
                {"expression": SEEN_JSON, "breakdowns": [{"event": "E", "property": "p",
                                                          "within": "30d"}]},
                {"filters": {"region": ["jeju"]}, "breakdowns": [{"trait": "t"}]},
                {"region": ["jeju"], "membership": "VIP"}],
            "OverlapWish": [{"audiences": [{"expression": SEEN}, {"region": ["jeju"]}]},
                            {"audiences": [made["audience"], {"expression": SEEN_JSON}]}],
            "SavedAudienceWish": [{"name": "a", "expression": SEEN}, {"name": "a", "kind":
                                  "snapshot", "filters": {"region": ["jeju"]}}],
            "SavedAudienceChange": [{"name": "a", "expression": SEEN},
                                    {"name": "a", "filters": {"region": ["jeju"]}}],
            "DimensionRow": [{"name": "n", "category": "c", "region": "r", "themes": ["t"],
                              "price_range": "p"}],
            "DimensionRows": [[{"product_id": self.fresh(), "name": "n", "themes": ["t"]}],
                              {"rows": [{"product_id": self.fresh(), "name": "n"}]}],
            "AudienceExportWish": [{"audience_id": made["audience"], "name": "n", "destination":
                                    "file", "columns": ["user_id", "tier"]}],
            "DestinationWish": [
                {"name": self.fresh(), "kind": "s3", "region": "r", "bucket": "b", "prefix": "p",
                 "endpoint": "http://127.0.0.1:1", "accessKeyId": "k", "secretAccessKey": "s"},
                {"name": self.fresh(), "kind": "marketing_platform", "url": "http://127.0.0.1:1",
                 "source": "lake", "token": "t"}],
            "DestinationChange": [{"region": "r", "prefix": "p"}],
            "ProfileWish": [{"email": "e@example.com", "phone": "1", "deviceTokens": ["t"],
                             "attributes": {"a": "b", "c": {"d": "e"}}}],
            "ConsumerWish": [{}],
            "ExportWish": [{"what": ["profiles"], "from": BEFORE, "to": NOW}],
            "ScheduleWish": [{"kind": "export", "cron": "0 3 * * *", "active": False,
                              "params": {"what": ["events"], "from": NOW}}],
            "FilterWish": [self.filter(name=self.fresh())], "FilterChange": [self.filter()],
            "TokenWish": [{"name": "t", "scopes": ["segment.read"],
                           "expiresAt": "2126-01-01T00:00:00Z"}],
            "Registration": [{"invitation": "i", "name": "n", "password": PASSWORD}],
            "Login": [{"email": "kim@example.com", "password": PASSWORD, "device_token": "d"}],
            "Refresh": [{"refresh_token": "r"}],
            "PasswordChange": [{"current_password": PASSWORD, "password": PASSWORD}],
            "TotpBegin": [{"password": PASSWORD}],
            "ResetRequest": [{"email": f"{self.fresh()}@example.com"}],
            "Reset": [{"reset_token": "t", "password": PASSWORD}],
            "MeChange": [{"name": "Kim"}], "Subscription": [{"subscription_tier": "free"}],
            "PersonSettings": [{"language": "ko", "timezone": "Asia/Seoul"}],
            "PersonWish": [{"email": f"{self.fresh()}@example.com", "name": "n",
                            "password": PASSWORD, "roles": ["viewer"]}],
            "PersonChange": [{"name": "Kim"}],
            "InvitationWish": [{"email": f"{self.fresh()}@example.com", "roles": ["viewer"]}],
            "WorkspaceWish": [{"slug": self.fresh(), "name": "w", "partitions": 1,
                               "retentionDays": 2, "limits": {"profiles": 1000}}],
            "WorkspaceChange": [{"name": "w", "limits": {"profiles": 1000}}],
            "WorkspaceMemberWish": [{"roles": ["viewer"]}],
            "RoleWish": [{"permissions": ["user.read"]}],
            "SegmentStatus": [{"active": True}], "Clock": [{"now": NOW}],
        }
        found = known.get(name)
        return found if found else [self.schemas.example(operation.schema)]

    def event(self):
        return {"userId": "kim", "eventType": "orders", "timestamp": NOW, "attributes":
                {"a": "b", "c": ["d"]}, "sessionId": "s", "deviceId": "d",
                "messageId": self.fresh()}

    def filter(self, **more):
        return {"label": {"ko": "a", "en": "b"}, "type": "choice", "days": 30, "template":
                "count(\"Product Viewed\" where size in [$value]) within $days >= 1",
                "values": [{"value": "270", "label": {"ko": "c", "en": "d"}}], **more}

    @staticmethod
    def schemas_name(operation):
        return operation.schema.get("$ref", "").rsplit("/", 1)[-1]
