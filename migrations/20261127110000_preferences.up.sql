-- How an account works: keys chosen in place of the pages' own, and whether the next photo comes by itself.

CREATE TABLE preferences (
    user_id      bigint PRIMARY KEY REFERENCES users,
    -- action to key, as {"annotate.undo": "y"}
    keys         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(keys) = 'object'),
    auto_advance boolean NOT NULL DEFAULT true
);
