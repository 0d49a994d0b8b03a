-- Suggestions: what the page proposes for a photo's attribute, from one source of a project at a time.

CREATE TABLE suggestion_sources (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id    bigint NOT NULL REFERENCES projects,
    kind          text NOT NULL CHECK (kind IN ('run', 'import', 'standards')),
    -- of kind run
    run_id        bigint REFERENCES runs,
    name          text NOT NULL,
    -- share of pairs of a photo and an annotator that never see a suggestion
    control_share real NOT NULL CHECK (control_share BETWEEN 0 AND 1),
    created_by    bigint NOT NULL REFERENCES users,
    created_at    timestamptz NOT NULL DEFAULT now(),
    -- when another one took its place, or suggestions were switched off
    ended_at      timestamptz,
    CHECK ((kind = 'run') = (run_id IS NOT NULL))
);
CREATE UNIQUE INDEX suggestion_sources_active ON suggestion_sources (project_id) WHERE ended_at IS NULL;

-- Of the active sources only: a label keeps its own copy of what was shown.
CREATE TABLE suggestions (
    source_id    bigint NOT NULL REFERENCES suggestion_sources,
    photo_id     bigint NOT NULL REFERENCES photos,
    attribute_id bigint NOT NULL REFERENCES attributes,
    value_id     bigint NOT NULL,
    probability  real NOT NULL CHECK (probability BETWEEN 0 AND 1),
    PRIMARY KEY (photo_id, attribute_id, source_id),
    FOREIGN KEY (attribute_id, value_id) REFERENCES attribute_values (attribute_id, id)
);
-- The grid's walk: one value's photos, most certain first.
CREATE INDEX suggestions_grid ON suggestions (source_id, attribute_id, value_id, probability DESC, photo_id);

-- Whether a pair of a photo and an annotator is of the control group: always the same for a pair, and by chance.
CREATE FUNCTION suggestion_control(photo bigint, annotator bigint, share real) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT ('x' || substr(md5(photo || '/' || annotator), 1, 7))::bit(28)::integer < share * 268435456.0 $$;

-- Whether a member sees suggestions.
ALTER TABLE memberships ADD COLUMN sees_suggestions boolean NOT NULL DEFAULT true;
