-- What a model says of a photo that it has not seen: of k folds, the one that held it out.
ALTER TABLE run_predictions ADD COLUMN held_out jsonb;

-- Photos whose labels deserve a second look, found over all votes and predictions at once; replaced as a whole.
CREATE TABLE review_suspects (
    project_id   bigint NOT NULL REFERENCES projects,
    -- uncertain: the votes leave it open; model: a model that has not seen the photo contradicts the label
    cause        text NOT NULL CHECK (cause IN ('uncertain', 'model')),
    photo_id     bigint NOT NULL REFERENCES photos,
    attribute_id bigint NOT NULL REFERENCES attributes,
    -- the greater, the sooner: 1 - the consensus's probability, or the model's surety that the label is wrong
    score        real NOT NULL,
    PRIMARY KEY (project_id, cause, photo_id, attribute_id)
);
CREATE INDEX review_suspects_walk ON review_suspects (project_id, cause, score, photo_id, attribute_id);

-- What they were last computed from.
CREATE TABLE review_states (
    project_id  bigint PRIMARY KEY REFERENCES projects,
    -- the newest label and decision then, and the run, if one has predictions of photos that it has not seen
    label_id    bigint NOT NULL,
    run_id      bigint REFERENCES runs,
    computed_at timestamptz NOT NULL DEFAULT now()
);
