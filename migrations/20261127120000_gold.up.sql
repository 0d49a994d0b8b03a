-- Gold photos, the quiz, annotators on pause, labels in doubt.

ALTER TABLE projects
    -- the share of an annotator's photos that are gold
    ADD COLUMN gold_rate      double precision NOT NULL DEFAULT 0 CHECK (gold_rate BETWEEN 0 AND 0.5),
    -- gold photos that an annotator answers before their first real one; 0: no quiz
    ADD COLUMN quiz_length    smallint NOT NULL DEFAULT 0 CHECK (quiz_length BETWEEN 0 AND 50),
    -- the share of right answers that passes
    ADD COLUMN quiz_pass_mark double precision NOT NULL DEFAULT 0.8 CHECK (quiz_pass_mark BETWEEN 0 AND 1),
    -- whether a failed quiz may be repeated with other photos; otherwise a lead decides
    ADD COLUMN quiz_repeats   boolean NOT NULL DEFAULT true;

-- The right answer to one attribute of a photo: always the decision that stands. Removed, never deleted.
CREATE TABLE gold_answers (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects,
    photo_id     bigint NOT NULL REFERENCES photos,
    attribute_id bigint NOT NULL REFERENCES attributes,
    answer       text NOT NULL CHECK (answer IN ('value', 'not_visible')),
    value_id     bigint,
    -- why it is right, shown after a wrong answer in the quiz
    explanation  text NOT NULL DEFAULT '',
    created_by   bigint NOT NULL REFERENCES users,
    created_at   timestamptz NOT NULL DEFAULT now(),
    removed_by   bigint REFERENCES users,
    removed_at   timestamptz,
    CHECK ((answer = 'value') = (value_id IS NOT NULL)),
    CHECK ((removed_at IS NULL) = (removed_by IS NULL)),
    FOREIGN KEY (attribute_id, value_id) REFERENCES attribute_values (attribute_id, id)
);
CREATE UNIQUE INDEX gold_answers_current ON gold_answers (photo_id, attribute_id) WHERE removed_at IS NULL;
CREATE INDEX gold_answers_project ON gold_answers (project_id, photo_id) WHERE removed_at IS NULL;

-- A claim without a slot is outside of the queue: a photo given as gold, or one whose labels are in doubt.
ALTER TABLE claims ALTER COLUMN slot DROP NOT NULL, ADD COLUMN gold boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT claims_gold_has_no_slot CHECK (NOT gold OR slot IS NULL);
-- Given on a photo that was mixed in as gold: a label like any other, but no vote.
ALTER TABLE labels ADD COLUMN gold boolean NOT NULL DEFAULT false;
CREATE INDEX labels_gold ON labels (annotator_id, attribute_id) WHERE gold AND superseded_at IS NULL;

ALTER TABLE annotators
    -- of photos_done those that fill no slot
    ADD COLUMN photos_outside  bigint NOT NULL DEFAULT 0,
    -- photos that they had had when gold was first mixed in
    ADD COLUMN gold_from       bigint,
    -- on pause they are given no photos
    ADD COLUMN paused_at       timestamptz,
    ADD COLUMN paused_by       bigint REFERENCES users,
    -- a lead lets them in without a passed quiz, or try once more
    ADD COLUMN quiz_excused_at timestamptz,
    ADD COLUMN quiz_retries    smallint NOT NULL DEFAULT 0;

-- Quiz: its answers are no labels -------------------------------------------------------------------

CREATE TABLE quizzes (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects,
    annotator_id bigint NOT NULL REFERENCES annotators,
    attempt      smallint NOT NULL,
    pass_mark    double precision NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    -- share of right answers, and whether it passed
    score        double precision,
    passed       boolean,
    CHECK ((finished_at IS NULL) = (passed IS NULL) AND (finished_at IS NULL) = (score IS NULL)),
    UNIQUE (annotator_id, attempt)
);
CREATE INDEX quizzes_project ON quizzes (project_id);

CREATE TABLE quiz_photos (
    quiz_id  bigint NOT NULL REFERENCES quizzes,
    position smallint NOT NULL,
    photo_id bigint NOT NULL REFERENCES photos,
    PRIMARY KEY (quiz_id, position),
    UNIQUE (quiz_id, photo_id)
);

CREATE TABLE quiz_answers (
    quiz_id        bigint NOT NULL REFERENCES quizzes,
    photo_id       bigint NOT NULL REFERENCES photos,
    attribute_id   bigint NOT NULL REFERENCES attributes,
    -- what was right at that moment
    gold_answer_id bigint NOT NULL REFERENCES gold_answers,
    answer         text NOT NULL CHECK (answer IN ('value', 'not_visible', 'unsure')),
    value_id       bigint,
    correct        boolean NOT NULL,
    duration_ms    integer CHECK (duration_ms >= 0),
    created_at     timestamptz NOT NULL DEFAULT now(),
    CHECK ((answer = 'value') = (value_id IS NOT NULL)),
    FOREIGN KEY (attribute_id, value_id) REFERENCES attribute_values (attribute_id, id),
    PRIMARY KEY (quiz_id, photo_id, attribute_id)
);

-- Labels of an annotator in doubt -------------------------------------------------------------------

-- A lead's doubt about an annotator's labels: all of them, of one attribute, since a moment.
CREATE TABLE annotator_doubts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects,
    annotator_id bigint NOT NULL REFERENCES annotators,
    attribute_id bigint REFERENCES attributes,
    since        timestamptz,
    reason       text NOT NULL DEFAULT '',
    -- how many labels and photos it took
    labels       bigint NOT NULL,
    photos       bigint NOT NULL,
    created_by   bigint NOT NULL REFERENCES users,
    created_at   timestamptz NOT NULL DEFAULT now(),
    undone_by    bigint REFERENCES users,
    undone_at    timestamptz
);
CREATE INDEX annotator_doubts_annotator ON annotator_doubts (annotator_id);

-- The labels of doubts that stand. They are kept, and are no votes.
CREATE TABLE doubted_labels (
    label_id bigint NOT NULL REFERENCES labels,
    doubt_id bigint NOT NULL REFERENCES annotator_doubts,
    PRIMARY KEY (label_id, doubt_id)
);
CREATE INDEX doubted_labels_doubt ON doubted_labels (doubt_id);
