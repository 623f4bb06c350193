import os
import random
import unittest

import crash


class Crash(unittest.TestCase):
    def test_kill_9_at_random_instants_loses_and_doubles_nothing(self):
        seed = int(os.environ.get("SONNIM_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print(f"     seed {seed}", flush=True)
        crash.run(seed, int(os.environ.get("SONNIM_TEST_ROUNDS", "55")))
