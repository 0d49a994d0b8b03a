-- The spine: people, projects, schema, guidelines, photos, labels, datasets, runs, jobs.
-- Migrations expand, then contract; they never drop a label.

-- People ------------------------------------------------------------------------------------------

CREATE TABLE users (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    -- argon2id in PHC form; null for accounts that cannot sign in with a password
    password_hash text,
    administrator boolean NOT NULL DEFAULT false,
    -- the command line's user; cannot sign in
    built_in      boolean NOT NULL DEFAULT false,
    -- changes with the password: sessions carry it and die with it
    session_epoch bigint NOT NULL DEFAULT 0,
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_name ON users (lower(name));
INSERT INTO users (name, built_in) VALUES ('system', true);

CREATE TABLE api_tokens (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id      bigint NOT NULL REFERENCES users,
    token_hash   bytea NOT NULL UNIQUE,
    label        text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz
);

-- In the shape that tower-sessions-sqlx-store expects.
CREATE SCHEMA tower_sessions;
CREATE TABLE tower_sessions.session (
    id          text PRIMARY KEY NOT NULL,
    data        bytea NOT NULL,
    expiry_date timestamptz NOT NULL
);

CREATE TABLE sign_in_throttle (
    name         text PRIMARY KEY,
    failures     integer NOT NULL,
    last_failure timestamptz NOT NULL
);

-- Projects ----------------------------------------------------------------------------------------

CREATE TABLE projects (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key           text NOT NULL UNIQUE CHECK (key ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
    name          text NOT NULL,
    description   text NOT NULL DEFAULT '',
    -- annotators a photo
    overlap       smallint NOT NULL DEFAULT 2 CHECK (overlap BETWEEN 1 AND 20),
    lease_seconds integer NOT NULL DEFAULT 900 CHECK (lease_seconds BETWEEN 30 AND 86400),
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE memberships (
    project_id bigint NOT NULL REFERENCES projects,
    user_id    bigint NOT NULL REFERENCES users,
    role       text NOT NULL CHECK (role IN ('annotator', 'reviewer', 'lead')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

-- One-time links: the first administrator's, invitations, a new sign-in for a known user.
CREATE TABLE links (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash    bytea NOT NULL UNIQUE,
    purpose       text NOT NULL CHECK (purpose IN ('first_administrator', 'invitation', 'sign_in')),
    user_id       bigint REFERENCES users,
    project_id    bigint REFERENCES projects,
    role          text CHECK (role IN ('annotator', 'reviewer', 'lead')),
    administrator boolean NOT NULL DEFAULT false,
    created_by    bigint REFERENCES users,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz,
    used_by       bigint REFERENCES users,
    revoked_at    timestamptz
);
CREATE INDEX links_project ON links (project_id);

-- Somebody whose labels a project holds: a user, or an imported name without an account.
CREATE TABLE annotators (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES projects,
    name       text NOT NULL,
    user_id    bigint REFERENCES users,
    UNIQUE (project_id, name),
    UNIQUE (project_id, user_id)
);

-- Schema ------------------------------------------------------------------------------------------

CREATE TABLE attributes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES projects,
    key        text NOT NULL,
    names      jsonb NOT NULL DEFAULT '{}',
    kind       text NOT NULL CHECK (kind IN ('given', 'annotated')),
    position   integer NOT NULL,
    retired_at timestamptz,
    UNIQUE (project_id, key)
);

CREATE TABLE attribute_values (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attribute_id bigint NOT NULL REFERENCES attributes,
    key          text NOT NULL CHECK (key NOT IN ('not_visible', 'unsure')),
    names        jsonb NOT NULL DEFAULT '{}',
    position     integer NOT NULL,
    retired_at   timestamptz,
    UNIQUE (attribute_id, key),
    UNIQUE (attribute_id, id)
);

CREATE TABLE priors (
    given_value_id bigint NOT NULL REFERENCES attribute_values,
    value_id       bigint NOT NULL REFERENCES attribute_values,
    probability    double precision NOT NULL CHECK (probability BETWEEN 0 AND 1),
    PRIMARY KEY (given_value_id, value_id)
);

-- Photos ------------------------------------------------------------------------------------------

-- Content-addressed: the original and its derivatives lie in the object store under the hash.
CREATE TABLE files (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash       bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    bytes      bigint NOT NULL,
    media_type text NOT NULL CHECK (media_type IN ('image/jpeg', 'image/png', 'image/webp')),
    -- as shown, after the EXIF orientation
    width      integer NOT NULL,
    height     integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE photos (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id     bigint NOT NULL REFERENCES projects,
    name           text NOT NULL,
    file_id        bigint NOT NULL REFERENCES files,
    -- another photo of the project with the same file, which carries the labels of both
    duplicate_of   bigint REFERENCES photos,
    imported_split text CHECK (imported_split IN ('trainval', 'train', 'validation', 'test')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, name)
);
CREATE INDEX photos_file ON photos (project_id, file_id);
CREATE UNIQUE INDEX photos_one_original ON photos (project_id, file_id) WHERE duplicate_of IS NULL;
CREATE INDEX photos_project ON photos (project_id, id);

CREATE TABLE photo_values (
    photo_id     bigint NOT NULL REFERENCES photos,
    attribute_id bigint NOT NULL REFERENCES attributes,
    value_id     bigint NOT NULL,
    PRIMARY KEY (photo_id, attribute_id),
    FOREIGN KEY (attribute_id, value_id) REFERENCES attribute_values (attribute_id, id)
);
CREATE INDEX photo_values_value ON photo_values (value_id);

-- Guidelines --------------------------------------------------------------------------------------

CREATE TABLE guideline_versions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attribute_id bigint NOT NULL REFERENCES attributes,
    -- null while a draft
    version      integer,
    -- markdown per language: what to look at, and in which order the rules apply
    introduction jsonb NOT NULL DEFAULT '{}',
    -- what changed and why
    change_note  text NOT NULL DEFAULT '',
    created_by   bigint REFERENCES users,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    published_by bigint REFERENCES users,
    published_at timestamptz,
    CHECK ((version IS NULL) = (published_at IS NULL)),
    UNIQUE (attribute_id, version)
);
CREATE UNIQUE INDEX guideline_versions_one_draft ON guideline_versions (attribute_id) WHERE version IS NULL;

CREATE TABLE guideline_rules (
    guideline_version_id bigint NOT NULL REFERENCES guideline_versions ON DELETE CASCADE,
    value_id             bigint NOT NULL REFERENCES attribute_values,
    position             integer NOT NULL,
    -- markdown per language
    rule                 jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (guideline_version_id, value_id)
);

CREATE TABLE guideline_examples (
    guideline_version_id bigint NOT NULL REFERENCES guideline_versions ON DELETE CASCADE,
    value_id             bigint NOT NULL REFERENCES attribute_values,
    photo_id             bigint NOT NULL REFERENCES photos,
    position             integer NOT NULL,
    caption              text NOT NULL DEFAULT '',
    PRIMARY KEY (guideline_version_id, value_id, photo_id)
);

-- Labels ------------------------------------------------------------------------------------------

-- Append-only: a change supersedes. The only column ever updated is superseded_at, once.
CREATE TABLE labels (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id           bigint NOT NULL REFERENCES projects,
    photo_id             bigint NOT NULL REFERENCES photos,
    attribute_id         bigint NOT NULL REFERENCES attributes,
    annotator_id         bigint NOT NULL REFERENCES annotators,
    answer               text NOT NULL CHECK (answer IN ('value', 'not_visible', 'unsure')),
    value_id             bigint,
    note                 text NOT NULL DEFAULT '',
    guideline_version_id bigint REFERENCES guideline_versions,
    duration_ms          integer CHECK (duration_ms >= 0),
    -- what the page suggested, if anything
    suggestion           jsonb,
    source               text NOT NULL DEFAULT 'page' CHECK (source IN ('page', 'grid', 'api', 'import')),
    idempotency_key      uuid,
    created_at           timestamptz NOT NULL DEFAULT now(),
    supersedes           bigint REFERENCES labels,
    superseded_at        timestamptz,
    CHECK ((answer = 'value') = (value_id IS NOT NULL)),
    FOREIGN KEY (attribute_id, value_id) REFERENCES attribute_values (attribute_id, id)
);
CREATE UNIQUE INDEX labels_current ON labels (photo_id, attribute_id, annotator_id) WHERE superseded_at IS NULL;
CREATE UNIQUE INDEX labels_idempotency ON labels (annotator_id, attribute_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX labels_project ON labels (project_id, attribute_id) WHERE superseded_at IS NULL;
CREATE INDEX labels_annotator ON labels (annotator_id, created_at);

CREATE FUNCTION labels_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR TG_OP = 'TRUNCATE' THEN
        RAISE EXCEPTION 'labels are append-only';
    END IF;
    IF OLD.superseded_at IS NOT NULL OR NEW.superseded_at IS NULL
       OR to_jsonb(NEW) - 'superseded_at' <> to_jsonb(OLD) - 'superseded_at' THEN
        RAISE EXCEPTION 'labels are append-only: a change supersedes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER labels_append_only BEFORE UPDATE OR DELETE ON labels FOR EACH ROW EXECUTE FUNCTION labels_are_append_only();
CREATE TRIGGER labels_no_truncate BEFORE TRUNCATE ON labels FOR EACH STATEMENT EXECUTE FUNCTION labels_are_append_only();

-- A published guideline put this label in doubt; answering the photo again settles it.
CREATE TABLE label_doubts (
    label_id             bigint PRIMARY KEY REFERENCES labels,
    guideline_version_id bigint NOT NULL REFERENCES guideline_versions,
    created_at           timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE adjudications (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id           bigint NOT NULL REFERENCES projects,
    photo_id             bigint NOT NULL REFERENCES photos,
    attribute_id         bigint NOT NULL REFERENCES attributes,
    reviewer_id          bigint NOT NULL REFERENCES users,
    answer               text NOT NULL CHECK (answer IN ('value', 'not_visible', 'unsure')),
    value_id             bigint,
    cause                text NOT NULL DEFAULT 'other'
        CHECK (cause IN ('rule_gap', 'edge_case', 'slip', 'not_visible', 'wrong_photo', 'other')),
    reason               text NOT NULL DEFAULT '',
    guideline_version_id bigint REFERENCES guideline_versions,
    created_at           timestamptz NOT NULL DEFAULT now(),
    supersedes           bigint REFERENCES adjudications,
    superseded_at        timestamptz,
    CHECK ((answer = 'value') = (value_id IS NOT NULL)),
    FOREIGN KEY (attribute_id, value_id) REFERENCES attribute_values (attribute_id, id)
);
CREATE UNIQUE INDEX adjudications_current ON adjudications (photo_id, attribute_id) WHERE superseded_at IS NULL;
CREATE INDEX adjudications_project ON adjudications (project_id, attribute_id) WHERE superseded_at IS NULL;
CREATE TRIGGER adjudications_append_only BEFORE UPDATE OR DELETE ON adjudications
    FOR EACH ROW EXECUTE FUNCTION labels_are_append_only();
CREATE TRIGGER adjudications_no_truncate BEFORE TRUNCATE ON adjudications
    FOR EACH STATEMENT EXECUTE FUNCTION labels_are_append_only();

-- Queue -------------------------------------------------------------------------------------------

-- One row a photo that is to be answered (none for duplicates). taken counts claims that are held or done.
CREATE TABLE tasks (
    photo_id   bigint PRIMARY KEY REFERENCES photos,
    project_id bigint NOT NULL REFERENCES projects,
    priority   real NOT NULL DEFAULT 0,
    needed     smallint NOT NULL,
    taken      smallint NOT NULL DEFAULT 0 CHECK (taken >= 0)
);
CREATE INDEX tasks_open ON tasks (project_id, priority DESC, photo_id) WHERE taken < needed;

-- A claim is one annotator's slot of one photo: held until it expires, then released; or done.
CREATE TABLE claims (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects,
    photo_id     bigint NOT NULL REFERENCES tasks (photo_id),
    annotator_id bigint NOT NULL REFERENCES annotators,
    slot         smallint NOT NULL CHECK (slot >= 1),
    claimed_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    done_at      timestamptz,
    released_at  timestamptz,
    -- given back to the same annotator because a guideline put the label in doubt; does not expire
    returned_at  timestamptz
);
CREATE UNIQUE INDEX claims_slot ON claims (photo_id, slot) WHERE released_at IS NULL;
CREATE UNIQUE INDEX claims_annotator_photo ON claims (annotator_id, photo_id) WHERE released_at IS NULL;
CREATE INDEX claims_open ON claims (project_id, annotator_id) WHERE released_at IS NULL AND done_at IS NULL;
CREATE INDEX claims_expiring ON claims (project_id, expires_at)
    WHERE released_at IS NULL AND done_at IS NULL AND returned_at IS NULL;
CREATE INDEX claims_done ON claims (annotator_id, done_at) WHERE done_at IS NOT NULL AND released_at IS NULL;

-- Datasets and runs -------------------------------------------------------------------------------

CREATE TABLE datasets (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES projects,
    name       text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    policy     text NOT NULL,
    seed       bigint NOT NULL,
    hash       text NOT NULL,
    -- dataset.json as it is exported
    manifest   jsonb NOT NULL,
    -- counts per split, mask and tie, and what the freeze warned of
    summary    jsonb NOT NULL,
    created_by bigint NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, name)
);

CREATE TABLE dataset_items (
    dataset_id bigint NOT NULL REFERENCES datasets,
    position   integer NOT NULL,
    photo_id   bigint NOT NULL REFERENCES photos,
    file_id    bigint NOT NULL REFERENCES files,
    -- the line of items.jsonl
    item       jsonb NOT NULL,
    PRIMARY KEY (dataset_id, position)
);

CREATE TABLE jobs (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind             text NOT NULL CHECK (kind IN ('import', 'export', 'train', 'predict')),
    project_id       bigint NOT NULL REFERENCES projects,
    created_by       bigint NOT NULL REFERENCES users,
    payload          jsonb NOT NULL,
    state            text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    progress_done    bigint NOT NULL DEFAULT 0,
    progress_total   bigint NOT NULL DEFAULT 0,
    message          text NOT NULL DEFAULT '',
    result           jsonb,
    error            text,
    attempts         integer NOT NULL DEFAULT 0,
    worker           text,
    lease_until      timestamptz,
    cancel_requested boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    finished_at      timestamptz
);
CREATE INDEX jobs_claimable ON jobs (id) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_project ON jobs (project_id, id DESC);

CREATE TABLE runs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  bigint NOT NULL REFERENCES projects,
    dataset_id  bigint NOT NULL REFERENCES datasets,
    job_id      bigint REFERENCES jobs,
    name        text NOT NULL,
    -- the configuration as it was given (TOML)
    config      text NOT NULL,
    metrics     jsonb,
    -- key of the run's folder in the object store, once finished
    artifacts   text,
    created_by  bigint NOT NULL REFERENCES users,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (project_id, name)
);
CREATE INDEX runs_dataset ON runs (dataset_id);

CREATE TABLE run_curves (
    run_id bigint NOT NULL REFERENCES runs,
    epoch  integer NOT NULL,
    split  text NOT NULL,
    -- loss/ear, accuracy/breed, learning_rate
    series text NOT NULL,
    value  double precision NOT NULL,
    PRIMARY KEY (run_id, series, split, epoch)
);

CREATE TABLE run_predictions (
    run_id       bigint NOT NULL REFERENCES runs,
    photo_id     bigint NOT NULL REFERENCES photos,
    attribute_id bigint NOT NULL REFERENCES attributes,
    -- value key to probability, the whole distribution
    distribution jsonb NOT NULL,
    PRIMARY KEY (run_id, photo_id, attribute_id)
);

-- Who did what, for people to read.
CREATE TABLE audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint REFERENCES projects,
    user_id    bigint NOT NULL REFERENCES users,
    operation  text NOT NULL,
    details    jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_project ON audit (project_id, id DESC);
