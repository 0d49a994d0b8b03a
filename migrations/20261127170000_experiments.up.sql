-- Experiments: variants of a configuration, each trained with several seeds on one dataset, and compared.

ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check;
ALTER TABLE jobs ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('import', 'export', 'train', 'predict', 'experiment'));

CREATE TABLE experiments (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES projects,
    dataset_id bigint NOT NULL REFERENCES datasets,
    job_id     bigint REFERENCES jobs,
    -- what was asked for: seeds, configuration, whether with a learning curve
    input      jsonb NOT NULL,
    -- experiment.json, as far as its runs have finished
    results    jsonb,
    created_by bigint NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX experiments_project ON experiments (project_id, id DESC);
CREATE INDEX experiments_job ON experiments (job_id);
