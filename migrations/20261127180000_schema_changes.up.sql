-- Changes of attributes and values: what each did to labels, so that it can be seen and undone.

CREATE TABLE schema_changes (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id    bigint NOT NULL REFERENCES projects,
    change        jsonb NOT NULL,
    counts        jsonb NOT NULL,
    -- orders, priors and what was retired before: to be put back
    before        jsonb NOT NULL,
    -- the newest label and decision once it was made: what is newer was given on top of it
    last_label    bigint NOT NULL,
    last_decision bigint NOT NULL,
    created_by    bigint NOT NULL REFERENCES users,
    created_at    timestamptz NOT NULL DEFAULT now(),
    undone_by     bigint REFERENCES users,
    undone_at     timestamptz,
    CHECK ((undone_by IS NULL) = (undone_at IS NULL))
);
CREATE INDEX schema_changes_project ON schema_changes (project_id, id DESC);

-- What a change put in the place of what. Labels, decisions and gold answers are appended; nothing is overwritten.
CREATE TABLE schema_change_rows (
    change_id bigint NOT NULL REFERENCES schema_changes,
    -- restored: a label or decision that undoing put back
    kind      text NOT NULL CHECK (kind IN ('label', 'decision', 'gold', 'claim', 'restored_label', 'restored_decision')),
    -- what was there before
    old_id    bigint,
    -- what is there in its place
    new_id    bigint,
    -- when a returned claim had been done
    done_at   timestamptz,
    CHECK (num_nonnulls(old_id, new_id) > 0)
);
CREATE INDEX schema_change_rows_change ON schema_change_rows (change_id, kind);
CREATE INDEX schema_change_rows_new ON schema_change_rows (kind, new_id) WHERE new_id IS NOT NULL;

-- A label may be in doubt because its value was split, not only because a rule changed.
ALTER TABLE label_doubts
    ALTER COLUMN guideline_version_id DROP NOT NULL,
    ADD COLUMN schema_change_id bigint REFERENCES schema_changes,
    ADD CONSTRAINT label_doubts_have_a_reason CHECK (num_nonnulls(guideline_version_id, schema_change_id) > 0);
CREATE INDEX label_doubts_schema_change ON label_doubts (schema_change_id) WHERE schema_change_id IS NOT NULL;

-- Annotators who can answer a photo again: imported names without an account, members who have left, disabled accounts and
-- those on pause cannot.
CREATE VIEW able_annotators AS
    SELECT a.id AS annotator_id, a.project_id
    FROM annotators a
    JOIN users u ON u.id = a.user_id
    LEFT JOIN memberships m ON m.user_id = u.id AND m.project_id = a.project_id
    WHERE u.disabled_at IS NULL AND a.paused_at IS NULL AND (m.user_id IS NOT NULL OR u.administrator);
