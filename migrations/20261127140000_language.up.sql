-- The language that an account has chosen for the pages; none leaves it to the browser.
ALTER TABLE users ADD COLUMN language text CHECK (language IN ('en', 'ja'));
