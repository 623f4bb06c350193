-- How often a token may ask: requests a second and at once; 0: as the settings say.
ALTER TABLE token ADD COLUMN rate INTEGER NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN burst INTEGER NOT NULL DEFAULT 0;
