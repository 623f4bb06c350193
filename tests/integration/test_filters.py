"""Filters of audiences: the catalogue, and what a deployment adds to it."""
import json
import pathlib
import subprocess
import unittest

from case import ServerCase
from server import SONNIM, Server, remove_directory, temporary_directory

FILTERS = "/api/v1/audience/filters"
LABEL = {"ko": "신발 치수", "en": "Shoe size"}
SIZE = {"name": "shoe_size", "label": LABEL, "type": "choice", "days": 180,
        "values": [{"value": "270", "label": {"ko": "중간", "en": "Medium"}}],
        "template": 'count("Product Viewed" where size in [$value]) within $days >= 1'}


class Filters(ServerCase):
    def filters(self):
        return {row["name"]: row for row in self.client.items(FILTERS)}

    def test_all_filters_are_listed_with_labels_types_values_and_templates(self):
        filters = self.filters()
        built_in = [row for row in filters.values() if row["origin"] == "built_in"]
        self.assertEqual(len(built_in), 32)
        for row in built_in:
            self.assertTrue(row["label"]["ko"] and row["label"]["en"], row)
            self.assertIn(row["evaluation"], ("column", "scan"))
            self.assertTrue(row["template"])
        region = filters["region"]
        self.assertEqual((region["type"], region["days"], region["evaluation"]),
                         ("choice", 365, "scan"))
        self.assertEqual(region["label"]["ko"], "관심 지역")
        tiers = {value["value"]: value["label"]["ko"] for value in filters["membership"]["values"]}
        self.assertEqual(tiers["GOLD"], "골드")

    def test_the_list_comes_in_pages(self):
        names = [row["name"] for row in self.client.items(FILTERS, 10)]
        self.assertEqual(names, list(self.filters()))

    def test_an_own_filter_is_added_changed_and_deleted(self):
        made = self.client.expect(201, "POST", FILTERS, SIZE).json
        self.addCleanup(self.client.request, "DELETE", f"{FILTERS}/shoe_size")
        self.assertEqual((made["origin"], made["days"], made["evaluation"], made["template"]),
                         ("api", 180, "scan", SIZE["template"]))
        self.assertEqual(made["values"][0]["label"], {"ko": "중간", "en": "Medium"})
        self.assertEqual({**self.client.get(f"{FILTERS}/shoe_size"), "values": made["values"]},
                         made)
        self.refused(self.client.request("POST", FILTERS, SIZE), 409, "CONFLICT", "name")

        changed = {"label": LABEL, "type": "number", "template": "count(Tried) >= $min"}
        self.assertEqual(
            self.client.expect(200, "PUT", f"{FILTERS}/shoe_size", changed).json["type"], "number")
        self.assertEqual(self.filters()["shoe_size"]["evaluation"], "column")
        metrics = self.client.request("GET", "/metrics").body.decode()
        self.assertIn("\nsonnim_audience_filters 1\n", metrics)
        self.client.expect(204, "DELETE", f"{FILTERS}/shoe_size")
        self.refused(self.client.request("GET", f"{FILTERS}/shoe_size"), 404, "NOT_FOUND")
        self.refused(self.client.request("DELETE", f"{FILTERS}/shoe_size"), 404, "NOT_FOUND")

    def test_a_put_of_a_new_name_adds_it(self):
        wish = {key: value for key, value in SIZE.items() if key != "name"}
        self.addCleanup(self.client.request, "DELETE", f"{FILTERS}/width")
        made = self.client.expect(200, "PUT", f"{FILTERS}/width", wish).json
        self.assertEqual(made["name"], "width")
        self.refused(self.client.request("PUT", f"{FILTERS}/width", SIZE), 400,
                     "VALIDATION_ERROR", "name")

    def test_a_definition_with_a_mistake_changes_nothing(self):
        before = self.filters()
        for change, field, reason in (
                ({"template": "count(E) >= $mn"}, "template", "line 1, column 13"),
                ({"template": "count(E) >= 1"}, "template", "must use $value"),
                ({"type": "list"}, "type", "must be choice"),
                ({"days": 2000}, "days", "from 1 to 1095"),
                ({"label": {"ko": "치수"}}, "label.en", "is required"),
                ({"values": [{"value": 5}]}, "values[0].value", "must be a string"),
                ({"nmae": "x"}, "nmae", 'did you mean "name"?'),
                ({"name": "Shoe"}, "name", "begin with a letter")):
            error = self.refused(self.client.request("POST", FILTERS, {**SIZE, **change}), 400,
                                 "VALIDATION_ERROR", field)
            self.assertIn(reason, error["details"]["reason"])
        self.assertEqual(self.filters(), before)

    def test_built_in_filters_stay(self):
        wish = {key: value for key, value in SIZE.items() if key != "name"}
        self.refused(self.client.request("PUT", f"{FILTERS}/region", wish), 409, "CONFLICT", "name")
        self.refused(self.client.request("DELETE", f"{FILTERS}/region"), 409, "CONFLICT")

    def test_reading_and_writing_need_their_scopes(self):
        reader, _ = self.client_with("audience.read")
        reader.expect(200, "GET", FILTERS)
        self.refused(reader.request("POST", FILTERS, SIZE), 403)
        other, _ = self.client_with("segment.read")
        self.refused(other.request("GET", FILTERS), 403)


class FiltersOfAFile(unittest.TestCase):
    def setUp(self):
        self.directory = temporary_directory()
        self.addCleanup(remove_directory, self.directory)
        self.file = pathlib.Path(self.directory) / "filters.json"

    def server(self):
        server = Server("--partitions", "1", "--filters", str(self.file), clock="manual")
        self.addCleanup(server.__exit__, None, None, None)
        return server

    def test_they_are_there_after_a_restart_beside_those_of_the_api(self):
        self.file.write_text(json.dumps({"filters": [SIZE]}), encoding="utf-8")
        server = self.server()
        server.start()
        client = server.client()
        self.addCleanup(client.close)
        client.expect(201, "POST", FILTERS, {**SIZE, "name": "width"})
        self.assertEqual(client.request("DELETE", f"{FILTERS}/shoe_size").status, 409)
        client.close()
        server.stop()
        # Of two of one name that of the file counts.
        self.file.write_text(json.dumps({"filters": [{**SIZE, "name": "width", "days": 7}]}),
                             encoding="utf-8")
        server.start()
        rows = {row["name"]: row for row in server.client().items(FILTERS)}
        self.assertNotIn("shoe_size", rows)
        self.assertEqual((rows["width"]["origin"], rows["width"]["days"]), ("file", 7))

    def test_a_mistake_is_told_with_file_line_and_column_and_nothing_starts(self):
        self.file.write_text('{"filters": [\n  {"name": "x",\n   "label": 5}]}', encoding="utf-8")
        expected = f"{self.file}:3:13: filters[0].label: must be an object"
        done = subprocess.run([SONNIM, "filters", "--check", str(self.file)], capture_output=True,
                              text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(expected, done.stderr)
        done = subprocess.run(
            [SONNIM, "serve", "--listen", "127.0.0.1:0", "--data", str(self.directory / "data"),
             "--keyring", str(self.directory / "keyring"), "--filters", str(self.file)],
            capture_output=True, text=True, timeout=300, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"--filters: {expected}", done.stderr)


if __name__ == "__main__":
    unittest.main()


class ShortRetention(ServerCase):
    """Events are kept for 90 days, windows of the filters are 365."""
    flags = ("--partitions", "2", "--retention", "90d")

    def ask(self, filters):
        return self.client.request("POST", "/api/v1/audience/calculate", filters,
                                   headers={"Cache-Control": "no-cache"})

    def test_windows_that_nobody_named_are_as_long_as_the_retention_allows(self):
        self.track("seen", event="Product Viewed", properties={"region": "제주"})
        position = self.track("bought", event="Order Completed",
                              properties={"revenue": 5}).position
        self.client.get("/api/v1/users/bought/profile",
                        headers={"X-Sonnim-Min-Position": position})
        for filters in ({"region": ["제주"]}, {"region": {"value": ["제주"], "days": 89}},
                        {"total_spent": 5}, {"booking_frequency": 1}):
            with self.subTest(filters=filters):
                found = self.ask(filters)
                self.assertEqual((found.status, found.json["audience_size"]), (200, 1), found)
        self.assertIn("within 89d", self.ask({"region": ["제주"]}).json["text"])
        groups = self.client.expect(200, "POST", "/api/v1/audience/calculate", {
            "region": ["제주"], "breakdowns": ["region"]}).json["breakdowns"][0]
        self.assertEqual(groups["dimension"]["within"], "89d")

    def test_the_catalogue_shows_the_windows_that_hold(self):
        shown = {row["name"]: row["days"] for row in self.client.items(FILTERS)}
        self.assertEqual((shown["region"], shown["total_spent"], shown["membership"]),
                         (89, 89, None))
        self.assertEqual(self.client.get(f"{FILTERS}/region")["days"], 89)

    def test_a_window_that_is_named_has_to_lie_in_the_retention(self):
        for filters, field in (({"region": {"value": ["제주"], "days": 90}}, "region.days"),
                               ({"filters": {"total_spent": {"min": 5, "days": 365}}},
                                "filters.total_spent.days")):
            with self.subTest(filters=filters):
                error = self.refused(self.ask(filters), 400, "VALIDATION_ERROR", field)
                self.assertIn("can be 89 at most: events are kept for 90 days", error["message"])
        self.refused(self.ask({"expression": 'count("x") within 90d >= 1'}), 400,
                     "VALIDATION_ERROR", "expression")
