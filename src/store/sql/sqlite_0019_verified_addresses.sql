-- Whether somebody has shown that a person's address is his: of those from before nobody knows.
ALTER TABLE person ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 0;

-- trusted: made by an admin, whose word for the address counts once it was followed.
ALTER TABLE invitation ADD COLUMN trusted INTEGER NOT NULL DEFAULT 0;
